-- The first answer under each key, for a day. Without status, the answer is still to come from owner, or was given up (NULL).
CREATE TABLE idempotency_keys (
    user_id    TEXT NOT NULL REFERENCES users (id),
    key        TEXT NOT NULL,
    method     TEXT NOT NULL,
    path       TEXT NOT NULL,
    digest     TEXT NOT NULL, -- SHA-256 in hex of query and body
    request_id TEXT NOT NULL,
    owner      TEXT,
    status     INTEGER,
    headers    TEXT, -- JSON
    body       BLOB, -- sealed
    created_at REAL NOT NULL,
    PRIMARY KEY (user_id, key, method, path)
) STRICT;

CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
