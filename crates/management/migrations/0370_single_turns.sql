-- When a session goes that is there for one turn only, and whose name is told to nobody. What a server that ended left of it goes after a
-- later turn.
ALTER TABLE api_sessions ADD COLUMN gone_at timestamptz;
CREATE INDEX api_sessions_gone_at ON api_sessions (tenant_id, agent, gone_at) WHERE gone_at IS NOT NULL;
