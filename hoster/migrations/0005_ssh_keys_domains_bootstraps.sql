CREATE TABLE ssh_keys (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT NOT NULL UNIQUE,
    user_id     TEXT NOT NULL REFERENCES users (id),
    name        TEXT NOT NULL,
    public_key  TEXT NOT NULL, -- as in authorized_keys, without comment
    fingerprint TEXT NOT NULL,
    private_key BLOB NOT NULL, -- sealed
    created_at  REAL NOT NULL
) STRICT;

CREATE INDEX ssh_keys_of_a_user ON ssh_keys (user_id, seq);
CREATE INDEX deployments_by_ssh_key ON deployments (json_extract(source, '$.git.ssh_key_id'))
    WHERE status <> 'deleted' AND json_extract(source, '$.git.ssh_key_id') IS NOT NULL;

-- Who holds a host name: a claim, until it is proved or lapses. node_id is the node that confirmed it last.
CREATE TABLE domains (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    hostname      TEXT NOT NULL UNIQUE, -- lower case, IDNA A-labels
    deployment_id TEXT NOT NULL REFERENCES deployments (id),
    claimed_at    REAL NOT NULL,
    verified_at   REAL,
    method        TEXT, -- txt or cname, once verified
    node_id       TEXT,
    problem       TEXT -- why the node did not take it
) STRICT;

CREATE INDEX domains_of_a_deployment ON domains (deployment_id, seq);

-- Installing a worker over SSH. The secrets go as soon as it has ended.
CREATE TABLE node_bootstraps (
    node_id     TEXT PRIMARY KEY REFERENCES nodes (id) ON DELETE CASCADE,
    status      TEXT NOT NULL,
    host        TEXT NOT NULL,
    port        INTEGER NOT NULL,
    username    TEXT NOT NULL,
    worker_port INTEGER NOT NULL,
    mesh_port   INTEGER NOT NULL,
    ssh_key_id  TEXT,
    private_key BLOB, -- sealed; given instead of ssh_key_id
    join_token  BLOB, -- sealed
    host_key    TEXT, -- as in known_hosts, without the host: given, or pinned at the first connection
    pinned      INTEGER NOT NULL DEFAULT 0, -- 1: seen at the first connection, not given
    reason      TEXT,
    log         TEXT NOT NULL DEFAULT '[]', -- JSON
    attempts    INTEGER NOT NULL DEFAULT 0,
    created_at  REAL NOT NULL,
    finished_at REAL
) STRICT;

CREATE INDEX node_bootstraps_to_do ON node_bootstraps (status) WHERE status IN ('waiting', 'running');
