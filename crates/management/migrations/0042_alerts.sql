-- Who is told by mail when something is done that is worth a look, and what waits to be told.

CREATE TABLE alert_rules (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    trigger text NOT NULL CHECK (char_length(trigger) BETWEEN 1 AND 40),
    email text NOT NULL CHECK (char_length(email) BETWEEN 3 AND 254 AND email = lower(email)),
    -- Minutes of the day, UTC, between which nothing is sent; both or none. The end may lie before the beginning: over midnight.
    quiet_from smallint CHECK (quiet_from BETWEEN 0 AND 1439),
    quiet_to smallint CHECK (quiet_to BETWEEN 0 AND 1439 AND quiet_to <> quiet_from),
    created_at timestamptz NOT NULL,
    last_sent_at timestamptz,
    -- Why the last mail could not be handed over; empty when it was.
    last_problem text NOT NULL DEFAULT '' CHECK (char_length(last_problem) <= 300),
    CHECK ((quiet_from IS NULL) = (quiet_to IS NULL)),
    UNIQUE (tenant_id, trigger, email),
    UNIQUE (tenant_id, id)
);
ALTER TABLE alert_rules ENABLE ROW LEVEL SECURITY;
ALTER TABLE alert_rules FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON alert_rules USING (tenant_id = (SELECT holdfast_tenant()));
GRANT SELECT, INSERT, DELETE, UPDATE (last_sent_at, last_problem) ON alert_rules TO holdfast_app;

CREATE TABLE alerts (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    rule_id uuid NOT NULL,
    -- What it is about: more of the same is one alert.
    subject text NOT NULL CHECK (char_length(subject) <= 200),
    -- The last event, in a line.
    summary text NOT NULL CHECK (char_length(summary) <= 1000),
    events integer NOT NULL,
    first_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    tries smallint NOT NULL DEFAULT 0,
    sent_at timestamptz,
    given_up_at timestamptz,
    FOREIGN KEY (tenant_id, rule_id) REFERENCES alert_rules (tenant_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX alerts_open ON alerts (tenant_id, rule_id, subject) WHERE sent_at IS NULL AND given_up_at IS NULL;
CREATE INDEX alerts_due ON alerts (due_at) WHERE sent_at IS NULL AND given_up_at IS NULL;
ALTER TABLE alerts ENABLE ROW LEVEL SECURITY;
ALTER TABLE alerts FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON alerts USING (tenant_id = (SELECT holdfast_tenant()));
-- For finding those of every tenant that are due: only while no tenant is set, and only where it is asked for.
CREATE POLICY due ON alerts FOR SELECT
    USING ((SELECT holdfast_tenant() IS NULL AND current_setting('holdfast.alerts', true) = 'due'));
GRANT SELECT, INSERT, DELETE, UPDATE (summary, events, due_at, tries, sent_at, given_up_at) ON alerts TO holdfast_app;
