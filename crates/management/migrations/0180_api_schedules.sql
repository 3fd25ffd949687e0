-- When the agents of the tenant API's tenants are told something by the clock: each job's times, and its name. What they are told is in
-- their vaults.

CREATE TABLE api_schedules (
    tenant_id uuid NOT NULL REFERENCES api_tenants (tenant_id),
    agent text COLLATE "C" NOT NULL CHECK (agent ~ '^[a-z0-9-]{1,40}$'),
    job text COLLATE "C" NOT NULL CHECK (job ~ '^[a-z0-9-]{1,40}$'),
    -- A cron expression and its time zone, or minutes, in JSON.
    timing text NOT NULL CHECK (octet_length(timing) <= 500),
    next_at timestamptz NOT NULL,
    -- Of a run that is under way: the time that it is for, when it was begun, and until when whoever carries it out has it to itself.
    due_at timestamptz,
    begun_at timestamptz,
    claimed_until timestamptz,
    -- The last run: when it ended, and how (a word).
    last_at timestamptz,
    last_result text CHECK (char_length(last_result) <= 64),
    -- When it was last passed over, since the run before went on.
    passed_over_at timestamptz,
    PRIMARY KEY (tenant_id, agent, job),
    CHECK ((due_at IS NULL) = (claimed_until IS NULL) AND (due_at IS NULL) = (begun_at IS NULL) AND (last_at IS NULL) = (last_result IS NULL))
);
CREATE INDEX api_schedules_next ON api_schedules (next_at);
CREATE INDEX api_schedules_claimed ON api_schedules (claimed_until) WHERE claimed_until IS NOT NULL;
ALTER TABLE api_schedules ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_schedules FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON api_schedules USING (tenant_id = (SELECT holdfast_tenant()));
-- For finding what is due, of every tenant: only while no tenant is set, and only where it is asked for.
CREATE POLICY due ON api_schedules FOR SELECT
    USING ((SELECT holdfast_tenant() IS NULL AND current_setting('holdfast.api_schedules', true) = 'due'));
GRANT SELECT, INSERT, DELETE, UPDATE (timing, next_at, due_at, begun_at, claimed_until, last_at, last_result, passed_over_at)
    ON api_schedules TO holdfast_app;
