-- Turns of the tenant API that run, where webhooks are to be told how they end: should their server end first, another one goes on with them.
-- What was said is not here but as a digest, by which the same is known again.

CREATE TABLE api_turns (
    tenant_id uuid NOT NULL REFERENCES api_tenants (tenant_id),
    id uuid NOT NULL,
    agent text COLLATE "C" NOT NULL CHECK (agent ~ '^[a-z0-9-]{1,40}$'),
    session text COLLATE "C" NOT NULL CHECK (session ~ '^[A-Za-z0-9_-]{1,128}$'),
    told bytea NOT NULL CHECK (octet_length(told) = 32),
    -- The agent may call functions of the client's; and must.
    offers boolean NOT NULL,
    required boolean NOT NULL,
    begun_at timestamptz NOT NULL,
    -- Until when a server has it to itself.
    held_until timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX api_turns_held ON api_turns (held_until);
ALTER TABLE api_turns ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_turns FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON api_turns USING (tenant_id = (SELECT holdfast_tenant()));
-- For finding those that no server has, of every tenant: only while no tenant is set, and only where it is asked for.
CREATE FUNCTION holdfast_due_api_turns() RETURNS boolean
LANGUAGE sql STABLE
RETURN holdfast_tenant() IS NULL AND coalesce(current_setting('holdfast.api_turns', true), '') = 'due';
CREATE POLICY due ON api_turns FOR SELECT USING ((SELECT holdfast_due_api_turns()));
GRANT SELECT, INSERT, DELETE, UPDATE (held_until) ON api_turns TO holdfast_app;
