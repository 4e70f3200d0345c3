-- What is old is found, and forgotten, by its age.
CREATE INDEX jobs_by_end ON jobs (finished_at) WHERE finished_at IS NOT NULL AND kind <> 'delete';
CREATE INDEX deployment_events_by_age ON deployment_events (at);
CREATE INDEX deployments_by_deletion ON deployments (updated_at) WHERE status = 'deleted';
CREATE INDEX templates_by_withdrawal ON templates (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX domains_unproved ON domains (claimed_at) WHERE verified_at IS NULL;

-- What refers to a template's revision, or to a node, is asked when that goes.
CREATE INDEX deployments_of_a_template ON deployments (template_id, template_revision) WHERE template_id IS NOT NULL;
CREATE INDEX releases_of_a_template ON releases (template_id, template_revision) WHERE template_id IS NOT NULL;
DROP INDEX deployments_on_a_node; -- it left out the deleted ones, which also hold on to their node
CREATE INDEX deployments_on_a_node ON deployments (node_id);

-- The newest events of a deployment, what a node has still to be told, an author's drafts, and the jobs that a process holds, without
-- reading all of them.
CREATE INDEX deployment_events_of_a_deployment ON deployment_events (deployment_id, seq);
CREATE INDEX domains_not_on_their_node ON domains (deployment_id) WHERE verified_at IS NOT NULL AND node_id IS NULL;
CREATE INDEX drafts_of_an_author ON templates (author_id) WHERE published = 0 AND deleted_at IS NULL;
CREATE INDEX jobs_held ON jobs (lease_owner) WHERE lease_owner IS NOT NULL;

-- How many there are of everything that `/stats` tells, kept by the statements that change it (as in tallies).
CREATE TABLE counts (
    what  TEXT NOT NULL,
    state TEXT NOT NULL,
    n     INTEGER NOT NULL,
    PRIMARY KEY (what, state)
) STRICT, WITHOUT ROWID;

INSERT INTO counts
    SELECT 'deployments', status, count(*) FROM deployments GROUP BY status
    UNION ALL SELECT 'jobs', status, count(*) FROM jobs GROUP BY status
    UNION ALL SELECT 'templates', iif(published, 'published', 'draft'), count(*) FROM templates WHERE deleted_at IS NULL GROUP BY published
    UNION ALL SELECT 'users', 'known', count(*) FROM users
    UNION ALL SELECT 'billing_events', event_type, count(*) FROM billing_events GROUP BY event_type;

CREATE TRIGGER count_a_new_deployment AFTER INSERT ON deployments BEGIN
    INSERT INTO counts VALUES ('deployments', new.status, 1) ON CONFLICT (what, state) DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER count_a_moved_deployment AFTER UPDATE OF status ON deployments WHEN new.status <> old.status BEGIN
    UPDATE counts SET n = n - 1 WHERE what = 'deployments' AND state = old.status;
    INSERT INTO counts VALUES ('deployments', new.status, 1) ON CONFLICT (what, state) DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER count_a_forgotten_deployment AFTER DELETE ON deployments BEGIN
    UPDATE counts SET n = n - 1 WHERE what = 'deployments' AND state = old.status;
END;

CREATE TRIGGER count_a_new_job AFTER INSERT ON jobs BEGIN
    INSERT INTO counts VALUES ('jobs', new.status, 1) ON CONFLICT (what, state) DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER count_a_moved_job AFTER UPDATE OF status ON jobs WHEN new.status <> old.status BEGIN
    UPDATE counts SET n = n - 1 WHERE what = 'jobs' AND state = old.status;
    INSERT INTO counts VALUES ('jobs', new.status, 1) ON CONFLICT (what, state) DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER count_a_forgotten_job AFTER DELETE ON jobs BEGIN
    UPDATE counts SET n = n - 1 WHERE what = 'jobs' AND state = old.status;
END;

CREATE TRIGGER count_a_new_template AFTER INSERT ON templates WHEN new.deleted_at IS NULL BEGIN
    INSERT INTO counts VALUES ('templates', iif(new.published, 'published', 'draft'), 1) ON CONFLICT (what, state) DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER count_a_changed_template AFTER UPDATE OF published, deleted_at ON templates BEGIN
    UPDATE counts SET n = n - 1
    WHERE what = 'templates' AND state = iif(old.published, 'published', 'draft') AND old.deleted_at IS NULL;
    INSERT INTO counts SELECT 'templates', iif(new.published, 'published', 'draft'), 1 WHERE new.deleted_at IS NULL
        ON CONFLICT (what, state) DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER count_a_new_user AFTER INSERT ON users BEGIN
    INSERT INTO counts VALUES ('users', 'known', 1) ON CONFLICT (what, state) DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER count_a_billing_event AFTER INSERT ON billing_events BEGIN
    INSERT INTO counts VALUES ('billing_events', new.event_type, 1) ON CONFLICT (what, state) DO UPDATE SET n = n + 1;
END;
