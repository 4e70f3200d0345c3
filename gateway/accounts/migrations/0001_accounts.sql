CREATE TABLE users (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    org_id TEXT NOT NULL,
    plan_id TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('user', 'admin')),
    status TEXT NOT NULL CHECK (status IN ('active', 'suspended')),
    password_hash TEXT NOT NULL,
    created_at REAL NOT NULL
) STRICT;

CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    created_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    ended_at REAL
) STRICT;

CREATE INDEX sessions_of_user ON sessions (user_id, expires_at);

CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    prefix TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    created_at REAL NOT NULL,
    last_used_at REAL,
    expires_at REAL,
    revoked_at REAL
) STRICT;

CREATE INDEX api_keys_of_user ON api_keys (user_id, created_at);

-- Whose cached standing is out of date; every process follows it. AUTOINCREMENT, so that a gap means "pruned", never "rolled back".
CREATE TABLE account_changes (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id TEXT NOT NULL
) STRICT;
