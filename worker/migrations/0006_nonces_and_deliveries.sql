-- Nonces are in a journal of their own (worker/nonces.py).
DROP TABLE nonces;

-- What webhooks have deployed: a repeated delivery deploys nothing, and a push that arrives late is known by its place in the chain.
CREATE TABLE deliveries (
    project_id   TEXT NOT NULL REFERENCES projects ON DELETE CASCADE,
    delivery     TEXT NOT NULL,
    deploy_id    TEXT NOT NULL,
    branch       TEXT NOT NULL,
    before       TEXT NOT NULL,
    after        TEXT NOT NULL,
    received_at  REAL NOT NULL,
    PRIMARY KEY (project_id, delivery)
) STRICT;

CREATE INDEX deliveries_by_age ON deliveries (project_id, branch, received_at);
