-- Revisions that were replaced long ago, and that nothing was made from, are found by the age of what replaced them.
CREATE INDEX template_revisions_by_age ON template_revisions (created_at);
