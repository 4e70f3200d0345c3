-- What a deployment is looked for by: its name without the differences of case. The owner's list and a search of it read one index,
-- which has all that a search asks for.
ALTER TABLE deployments ADD COLUMN folded_name TEXT NOT NULL DEFAULT '';
UPDATE deployments SET folded_name = casefold(name);

DROP INDEX deployments_of_a_user;
CREATE INDEX deployments_of_a_user ON deployments (user_id, seq, status, folded_name) WHERE status <> 'deleted';
