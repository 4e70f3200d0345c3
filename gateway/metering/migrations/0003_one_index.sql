-- One index for what is asked of one user's events, in place of two: every event is put into each of them.
DROP INDEX usage_events_by_user;
DROP INDEX usage_events_by_period;
CREATE INDEX usage_events_by_month ON usage_events (user_id, period, id, cost);
