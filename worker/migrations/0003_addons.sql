-- `definition` is the catalogue's entry as it was, so that a newer catalogue changes nothing that is installed. Credentials are sealed.
CREATE TABLE addons (
    addon_id    TEXT PRIMARY KEY,
    org_id      TEXT NOT NULL,
    name        TEXT NOT NULL,
    definition  TEXT NOT NULL,
    credentials BLOB NOT NULL,
    image_id    TEXT,
    wanted      TEXT NOT NULL DEFAULT 'running',
    state       TEXT NOT NULL DEFAULT 'installing',
    reason      TEXT NOT NULL DEFAULT '',
    created_at  REAL NOT NULL,
    UNIQUE (org_id, name)
) STRICT;

CREATE TABLE addon_links (
    project_id TEXT NOT NULL REFERENCES projects ON DELETE CASCADE,
    variable   TEXT NOT NULL,
    addon_id   TEXT NOT NULL REFERENCES addons ON DELETE CASCADE,
    PRIMARY KEY (project_id, variable)
) STRICT;

CREATE INDEX links_of_addon ON addon_links (addon_id);
