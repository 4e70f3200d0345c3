-- Times are Unix seconds. CPU is in thousandths of a core. Boolean columns hold 0 or 1.

CREATE TABLE users (
    id         TEXT PRIMARY KEY,
    org_id     TEXT NOT NULL,
    plan_id    TEXT NOT NULL,
    created_at REAL NOT NULL
) STRICT;

CREATE TABLE templates (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT NOT NULL UNIQUE,
    slug       TEXT NOT NULL UNIQUE,
    author_id  TEXT REFERENCES users (id), -- NULL: shipped with the product
    revision   INTEGER NOT NULL,
    published  INTEGER NOT NULL,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    deleted_at REAL
) STRICT;

-- A deployment pins a revision, so that an edit of the template never changes what runs.
CREATE TABLE template_revisions (
    template_id TEXT NOT NULL REFERENCES templates (id),
    revision    INTEGER NOT NULL,
    document    TEXT NOT NULL, -- JSON
    created_at  REAL NOT NULL,
    PRIMARY KEY (template_id, revision)
) STRICT, WITHOUT ROWID;

CREATE TABLE nodes (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT NOT NULL UNIQUE,
    owner_id        TEXT REFERENCES users (id), -- NULL: the operator's
    name            TEXT NOT NULL,
    public          INTEGER NOT NULL,
    maintenance     INTEGER NOT NULL DEFAULT 0,
    online          INTEGER NOT NULL DEFAULT 0, -- as last logged; what counts is last_seen_at
    engine_ok       INTEGER NOT NULL DEFAULT 1,
    address         TEXT,
    capabilities    TEXT NOT NULL DEFAULT '[]', -- JSON
    location        TEXT NOT NULL DEFAULT '',
    version         TEXT NOT NULL DEFAULT '',
    cpu_millis      INTEGER NOT NULL DEFAULT 0,
    memory_mb       INTEGER NOT NULL DEFAULT 0,
    disk_mb         INTEGER NOT NULL DEFAULT 0,
    used_cpu_millis INTEGER NOT NULL DEFAULT 0,
    used_memory_mb  INTEGER NOT NULL DEFAULT 0,
    used_disk_mb    INTEGER NOT NULL DEFAULT 0,
    join_token_hash TEXT NOT NULL UNIQUE, -- SHA-256 in hex; the token itself is not kept
    joined_at       REAL,
    last_seen_at    REAL,
    secret          BLOB, -- sealed
    created_at      REAL NOT NULL
) STRICT;

-- Each signed heartbeat is accepted once; rows go when the signature's time window has passed.
CREATE TABLE node_nonces (
    node_id    TEXT NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    nonce      TEXT NOT NULL,
    expires_at REAL NOT NULL,
    PRIMARY KEY (node_id, nonce)
) STRICT, WITHOUT ROWID;

CREATE TABLE deployments (
    seq                   INTEGER PRIMARY KEY AUTOINCREMENT,
    id                    TEXT NOT NULL UNIQUE,
    user_id               TEXT NOT NULL REFERENCES users (id),
    org_id                TEXT NOT NULL,
    name                  TEXT NOT NULL,
    project_id            TEXT NOT NULL UNIQUE, -- on the node, and the first label of the host name
    template_id           TEXT,
    template_revision     INTEGER,
    source                TEXT, -- JSON {image, port}, instead of a template
    visibility            TEXT NOT NULL,
    status                TEXT NOT NULL,
    status_reason         TEXT,
    requested_node_id     TEXT,
    requested_region      TEXT,
    required_capabilities TEXT NOT NULL, -- JSON
    node_id               TEXT REFERENCES nodes (id),
    cpu_millis            INTEGER NOT NULL,
    memory_mb             INTEGER NOT NULL,
    disk_mb               INTEGER NOT NULL,
    release_id            TEXT,
    created_at            REAL NOT NULL,
    updated_at            REAL NOT NULL,
    started_at            REAL,
    stopped_at            REAL,
    FOREIGN KEY (template_id, template_revision) REFERENCES template_revisions (template_id, revision)
) STRICT;

CREATE INDEX deployments_of_a_user ON deployments (user_id, seq) WHERE status <> 'deleted';
CREATE INDEX deployments_on_a_node ON deployments (node_id) WHERE status <> 'deleted';

-- Exactly one of value (shown) and sealed (a password) is there.
CREATE TABLE deployment_variables (
    deployment_id TEXT NOT NULL REFERENCES deployments (id),
    name          TEXT NOT NULL,
    value         TEXT,
    sealed        BLOB,
    PRIMARY KEY (deployment_id, name),
    CHECK ((value IS NULL) <> (sealed IS NULL))
) STRICT, WITHOUT ROWID;

-- What happened to a deployment. origin names the occurrence, so that a resumed job does not tell it twice.
CREATE TABLE deployment_events (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    deployment_id TEXT NOT NULL REFERENCES deployments (id),
    type          TEXT NOT NULL,
    message       TEXT NOT NULL,
    origin        TEXT NOT NULL,
    at            REAL NOT NULL,
    UNIQUE (deployment_id, origin)
) STRICT;

CREATE TABLE jobs (
    seq               INTEGER PRIMARY KEY AUTOINCREMENT,
    id                TEXT NOT NULL UNIQUE,
    deployment_id     TEXT NOT NULL REFERENCES deployments (id),
    kind              TEXT NOT NULL,
    volumes           TEXT NOT NULL, -- keep or delete: only a delete job reads it
    status            TEXT NOT NULL,
    attempts          INTEGER NOT NULL DEFAULT 0,
    not_before        REAL NOT NULL,
    deadline_at       REAL NOT NULL,
    unreachable_since REAL,
    lease_owner       TEXT,
    lease_until       REAL NOT NULL DEFAULT 0,
    error             TEXT,
    created_at        REAL NOT NULL,
    finished_at       REAL
) STRICT;

CREATE INDEX jobs_waiting ON jobs (not_before) WHERE status = 'queued';
CREATE INDEX jobs_of_a_deployment ON jobs (deployment_id, seq);

-- One row for each operation that was performed, written with the state change itself.
CREATE TABLE billing_events (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    id            TEXT NOT NULL UNIQUE,
    user_id       TEXT NOT NULL REFERENCES users (id),
    event_type    TEXT NOT NULL,
    resource_id   TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    request_id    TEXT NOT NULL UNIQUE,
    status        INTEGER NOT NULL, -- of the HTTP answer
    created_at    REAL NOT NULL
) STRICT;

CREATE INDEX billing_events_of_a_user ON billing_events (user_id, seq);
