-- What a deployment was, is or shall be running: one row for each time that something was deployed. A deployment's own columns and
-- variables are what its owner wants; they wait until the next release.
CREATE TABLE releases (
    seq               INTEGER PRIMARY KEY AUTOINCREMENT,
    id                TEXT NOT NULL UNIQUE,
    deployment_id     TEXT NOT NULL REFERENCES deployments (id),
    template_id       TEXT,
    template_revision INTEGER,
    source            TEXT, -- as in deployments
    cpu_millis        INTEGER NOT NULL,
    memory_mb         INTEGER NOT NULL,
    disk_mb           INTEGER NOT NULL,
    restores          TEXT, -- the release that this one brings back
    status            TEXT NOT NULL, -- deploying, deployed or failed
    reason            TEXT,
    images            TEXT NOT NULL DEFAULT '[]', -- JSON [{service, image, digest}], as the node resolved them
    node_id           TEXT, -- where it runs or ran, and
    node_release      TEXT, -- how that node calls it
    created_at        REAL NOT NULL,
    deployed_at       REAL,
    FOREIGN KEY (template_id, template_revision) REFERENCES template_revisions (template_id, revision)
) STRICT;

CREATE INDEX releases_of_a_deployment ON releases (deployment_id, seq);

-- Sealed values are bound to the deployment and the name, so that they can be copied between both tables as they are.
CREATE TABLE release_variables (
    release_id TEXT NOT NULL REFERENCES releases (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    value      TEXT,
    sealed     BLOB,
    PRIMARY KEY (release_id, name),
    CHECK ((value IS NULL) <> (sealed IS NULL))
) STRICT, WITHOUT ROWID;

ALTER TABLE jobs ADD COLUMN release_id TEXT; -- what the job is to deploy; NULL: what runs is to be started again
ALTER TABLE deployments ADD COLUMN node_visibility TEXT; -- as the node was told; NULL: it was not told yet

-- What ran before releases were recorded here, and what was just being started.
INSERT INTO releases (id, deployment_id, template_id, template_revision, source, cpu_millis, memory_mb, disk_mb, status, node_id,
                      node_release, created_at, deployed_at)
    SELECT coalesce(release_id, 'rel_' || lower(hex(randomblob(16)))), id, template_id, template_revision, source, cpu_millis, memory_mb,
           disk_mb, iif(release_id IS NULL, 'deploying', 'deployed'), node_id, release_id, updated_at, started_at
    FROM deployments
    WHERE status <> 'deleted' AND (release_id IS NOT NULL OR status IN ('scheduled', 'starting'));

INSERT INTO release_variables (release_id, name, value, sealed)
    SELECT r.id, v.name, v.value, v.sealed FROM releases r JOIN deployment_variables v ON v.deployment_id = r.deployment_id;

UPDATE jobs SET release_id = (SELECT r.id FROM releases r WHERE r.deployment_id = jobs.deployment_id AND r.status = 'deploying')
    WHERE status = 'queued' AND kind = 'start';

UPDATE deployments SET node_visibility = visibility WHERE release_id IS NOT NULL;

-- What each user has, kept by the statements that change it: a limit is checked and a list is counted without reading every row.
CREATE TABLE tallies (
    user_id        TEXT PRIMARY KEY REFERENCES users (id),
    deployments    INTEGER NOT NULL DEFAULT 0,
    cpu_millis     INTEGER NOT NULL DEFAULT 0,
    memory_mb      INTEGER NOT NULL DEFAULT 0,
    disk_mb        INTEGER NOT NULL DEFAULT 0,
    billing_events INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

INSERT INTO tallies
    SELECT u.id, count(d.id), coalesce(sum(d.cpu_millis), 0), coalesce(sum(d.memory_mb), 0), coalesce(sum(d.disk_mb), 0),
           (SELECT count(*) FROM billing_events e WHERE e.user_id = u.id)
    FROM users u LEFT JOIN deployments d ON d.user_id = u.id AND d.status <> 'deleted' GROUP BY u.id;

CREATE TRIGGER tally_of_a_new_user AFTER INSERT ON users BEGIN
    INSERT INTO tallies (user_id) VALUES (new.id);
END;

CREATE TRIGGER tally_a_new_deployment AFTER INSERT ON deployments WHEN new.status <> 'deleted' BEGIN
    UPDATE tallies SET deployments = deployments + 1, cpu_millis = cpu_millis + new.cpu_millis, memory_mb = memory_mb + new.memory_mb,
                       disk_mb = disk_mb + new.disk_mb
    WHERE user_id = new.user_id;
END;

CREATE TRIGGER tally_a_changed_deployment AFTER UPDATE OF status, cpu_millis, memory_mb, disk_mb ON deployments BEGIN
    UPDATE tallies SET deployments = deployments - (old.status <> 'deleted') + (new.status <> 'deleted'),
                       cpu_millis = cpu_millis - (old.status <> 'deleted') * old.cpu_millis + (new.status <> 'deleted') * new.cpu_millis,
                       memory_mb = memory_mb - (old.status <> 'deleted') * old.memory_mb + (new.status <> 'deleted') * new.memory_mb,
                       disk_mb = disk_mb - (old.status <> 'deleted') * old.disk_mb + (new.status <> 'deleted') * new.disk_mb
    WHERE user_id = new.user_id;
END;

CREATE TRIGGER tally_a_billing_event AFTER INSERT ON billing_events BEGIN
    UPDATE tallies SET billing_events = billing_events + 1 WHERE user_id = new.user_id;
END;
