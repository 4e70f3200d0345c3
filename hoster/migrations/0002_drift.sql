-- 1: the node was found with a failed app, without any order; such a deployment may come back by itself.
ALTER TABLE deployments ADD COLUMN failed_by_drift INTEGER NOT NULL DEFAULT 0;
