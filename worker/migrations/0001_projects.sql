-- A project's `wanted` is recorded before anything is done about it; `state` is what was last seen to be so.
CREATE TABLE projects (
    project_id     TEXT PRIMARY KEY,
    org_id         TEXT NOT NULL,
    name           TEXT NOT NULL,
    visibility     TEXT NOT NULL,
    limits         TEXT NOT NULL,
    wanted         TEXT NOT NULL DEFAULT 'running',
    restart_wanted INTEGER NOT NULL DEFAULT 0,
    drop_volumes   INTEGER NOT NULL DEFAULT 0,
    state          TEXT NOT NULL DEFAULT 'created',
    state_reason   TEXT NOT NULL DEFAULT '',
    release_id     TEXT,
    environment    BLOB,
    webhook_secret BLOB,
    created_at     REAL NOT NULL
) STRICT;

CREATE INDEX projects_of_org ON projects (org_id);

CREATE TABLE domains (
    domain     TEXT PRIMARY KEY,
    project_id TEXT NOT NULL REFERENCES projects ON DELETE CASCADE
) STRICT;

CREATE INDEX domains_of_project ON domains (project_id);

CREATE TABLE deploys (
    deploy_id       TEXT PRIMARY KEY,
    project_id      TEXT NOT NULL REFERENCES projects ON DELETE CASCADE,
    sequence        INTEGER NOT NULL,
    status          TEXT NOT NULL,
    request         TEXT NOT NULL,
    idempotency_key TEXT,
    attempts        INTEGER NOT NULL DEFAULT 0,
    cancel_wanted   INTEGER NOT NULL DEFAULT 0,
    reason          TEXT NOT NULL DEFAULT '',
    log_tail        TEXT NOT NULL DEFAULT '[]',
    health_attempts TEXT NOT NULL DEFAULT '[]',
    created_at      REAL NOT NULL,
    finished_at     REAL,
    UNIQUE (project_id, sequence),
    UNIQUE (project_id, idempotency_key)
) STRICT;

CREATE INDEX unfinished_deploys ON deploys (project_id) WHERE finished_at IS NULL;

CREATE TABLE deploy_steps (
    deploy_id   TEXT NOT NULL REFERENCES deploys ON DELETE CASCADE,
    position    INTEGER NOT NULL,
    name        TEXT NOT NULL,
    started_at  REAL NOT NULL,
    deadline_at REAL NOT NULL,
    finished_at REAL,
    detail      TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (deploy_id, position)
) STRICT;

-- Everything needed to run the same thing again: content-addressed image, and the environment as it was.
CREATE TABLE releases (
    release_id  TEXT PRIMARY KEY,
    project_id  TEXT NOT NULL REFERENCES projects ON DELETE CASCADE,
    request     TEXT NOT NULL,
    image_id    TEXT NOT NULL,
    digest      TEXT,
    environment BLOB,
    created_at  REAL NOT NULL
) STRICT;

CREATE INDEX releases_of_project ON releases (project_id, created_at);

-- Without a foreign key: the last events of a project are written while it goes.
CREATE TABLE events (
    event_id   INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id TEXT NOT NULL,
    at         REAL NOT NULL,
    kind       TEXT NOT NULL,
    container  TEXT NOT NULL,
    message    TEXT NOT NULL
) STRICT;

CREATE INDEX events_of_project ON events (project_id, event_id);

CREATE TABLE nonces (
    nonce      TEXT PRIMARY KEY,
    expires_at REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX nonces_by_age ON nonces (expires_at);
