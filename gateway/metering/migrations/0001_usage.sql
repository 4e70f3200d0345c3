-- The ledger: one row for every billing request that reached an upstream, under the request's own id.
CREATE TABLE usage_events (
  id TEXT PRIMARY KEY,
  user_id TEXT NOT NULL,
  org_id TEXT NOT NULL,
  key_id TEXT NOT NULL,
  plan_id TEXT NOT NULL,
  route TEXT NOT NULL,
  method TEXT NOT NULL,
  path TEXT NOT NULL,
  status INTEGER NOT NULL,
  event_type TEXT,
  cost REAL NOT NULL,
  latency_ms REAL NOT NULL,
  request_bytes INTEGER NOT NULL,
  response_bytes INTEGER NOT NULL,
  created_at REAL NOT NULL,
  period TEXT NOT NULL -- the month in which the quota was taken, 2026-11
) WITHOUT ROWID;
CREATE INDEX usage_events_by_user ON usage_events (user_id, id);
CREATE INDEX usage_events_by_period ON usage_events (user_id, period, cost);

-- How far the journal was moved here, in the same transaction as what was moved.
CREATE TABLE journal_checkpoint (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  segment INTEGER NOT NULL,
  byte_offset INTEGER NOT NULL
);
INSERT INTO journal_checkpoint VALUES (1, 0, 0);
