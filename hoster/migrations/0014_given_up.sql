-- When a start was given up first without anyone knowing what its node would have made of it. Until it is over, it is tried again as
-- soon as the node answers.
ALTER TABLE deployments ADD COLUMN given_up_at REAL;
