-- Requests of which APIGate was told that they were not performed, and so must never be. Rows go after a day.
CREATE TABLE cancelled_requests (
    request_id   TEXT PRIMARY KEY,
    cancelled_at REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX cancelled_requests_by_age ON cancelled_requests (cancelled_at);
