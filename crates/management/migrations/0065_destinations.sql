-- Where alerts and audit events go besides mailboxes, and the one queue of all that is on its way out.

CREATE TABLE destinations (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    kind text NOT NULL CHECK (kind IN ('webhook', 'slack', 'discord', 'pagerduty', 'syslog')),
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    -- Host and port of its address, for people to know it by. The rest of the address may be a secret.
    host text NOT NULL CHECK (char_length(host) BETWEEN 1 AND 300),
    -- The address, and the key that goes with it: sealed under a key that is not in the database.
    sealed bytea NOT NULL CHECK (octet_length(sealed) <= 4096),
    created_at timestamptz NOT NULL,
    last_sent_at timestamptz,
    last_failed_at timestamptz,
    -- Why the last delivery was not taken; empty when it was.
    last_problem text NOT NULL DEFAULT '' CHECK (char_length(last_problem) <= 300),
    UNIQUE (tenant_id, id)
);
ALTER TABLE destinations ENABLE ROW LEVEL SECURITY;
ALTER TABLE destinations FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON destinations USING (tenant_id = (SELECT holdfast_tenant()));
GRANT SELECT, INSERT, DELETE, UPDATE (last_sent_at, last_failed_at, last_problem) ON destinations TO holdfast_app;

-- An alert goes to a mailbox or to a destination.
ALTER TABLE alert_rules ALTER COLUMN email DROP NOT NULL;
ALTER TABLE alert_rules ADD COLUMN destination_id uuid;
ALTER TABLE alert_rules ADD CONSTRAINT alert_rules_one_receiver CHECK ((email IS NULL) <> (destination_id IS NULL));
ALTER TABLE alert_rules ADD CONSTRAINT alert_rules_destination FOREIGN KEY (tenant_id, destination_id)
    REFERENCES destinations (tenant_id, id) ON DELETE CASCADE;
ALTER TABLE alert_rules ADD CONSTRAINT alert_rules_tenant_id_trigger_destination_key UNIQUE (tenant_id, trigger, destination_id);
CREATE INDEX alert_rules_by_destination ON alert_rules (tenant_id, destination_id);

-- What is on its way out: gone when it was taken, or marked when it was given up.
CREATE TABLE deliveries (
    -- The same for each try: receivers know by it what they have already.
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    -- The rule that it tells for.
    rule_id uuid NOT NULL,
    -- None: to the rule's mailbox.
    destination_id uuid,
    notice text NOT NULL CHECK (char_length(notice) <= 8192),
    created_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    tries smallint NOT NULL DEFAULT 0,
    failed_at timestamptz,
    FOREIGN KEY (tenant_id, rule_id) REFERENCES alert_rules (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, destination_id) REFERENCES destinations (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE failed_at IS NULL;
CREATE INDEX deliveries_by_rule ON deliveries (tenant_id, rule_id);
CREATE INDEX deliveries_by_destination ON deliveries (tenant_id, destination_id);
ALTER TABLE deliveries ENABLE ROW LEVEL SECURITY;
ALTER TABLE deliveries FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON deliveries USING (tenant_id = (SELECT holdfast_tenant()));
-- For finding those of every tenant that are due: only while no tenant is set, and only where it is asked for.
CREATE POLICY due ON deliveries FOR SELECT
    USING ((SELECT holdfast_tenant() IS NULL AND current_setting('holdfast.deliveries', true) = 'due'));
GRANT SELECT, INSERT, DELETE, UPDATE (due_at, tries, failed_at) ON deliveries TO holdfast_app;

-- From now on an alert that is due becomes a delivery, which is what is tried again: so alerts are told once, and never given up.
ALTER TABLE alerts NO FORCE ROW LEVEL SECURITY;
DELETE FROM alerts WHERE given_up_at IS NOT NULL;
ALTER TABLE alerts FORCE ROW LEVEL SECURITY;
DROP INDEX alerts_open;
DROP INDEX alerts_due;
ALTER TABLE alerts DROP COLUMN tries, DROP COLUMN given_up_at;
CREATE UNIQUE INDEX alerts_open ON alerts (tenant_id, rule_id, subject) WHERE sent_at IS NULL;
CREATE INDEX alerts_due ON alerts (due_at) WHERE sent_at IS NULL;
