-- What a template is looked for by, beside it: its revisions are whole documents, and were all read for one word.
ALTER TABLE templates ADD COLUMN category TEXT NOT NULL DEFAULT '';
ALTER TABLE templates ADD COLUMN words TEXT NOT NULL DEFAULT '';

UPDATE templates SET (category, words) =
    (SELECT json_extract(r.document, '$.category'),
            lower(json_extract(r.document, '$.name') || char(10) || json_extract(r.document, '$.description') || char(10)
                  || coalesce((SELECT group_concat(value, char(10)) FROM json_each(r.document, '$.tags')), ''))
     FROM template_revisions r WHERE r.template_id = templates.id AND r.revision = templates.revision);
