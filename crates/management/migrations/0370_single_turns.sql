-- A session that is there for one turn only: its name is told to nobody, and what a server that ended left of it goes after a later turn.
ALTER TABLE api_sessions ADD COLUMN once boolean NOT NULL DEFAULT false;
CREATE INDEX api_sessions_once ON api_sessions (tenant_id, agent, used_at) WHERE once;
