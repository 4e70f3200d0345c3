-- Add-ons use images too.
ALTER TABLE fetched_images RENAME COLUMN deploy_id TO used_by;

-- A pull that has begun, and which image had the name then (empty: none): so that what a crash left on the engine is known to be ours.
CREATE TABLE pulls (
    reference TEXT PRIMARY KEY,
    held      TEXT NOT NULL,
    used_by   TEXT NOT NULL
) STRICT;
