-- What the agents of the tenant API's tenants ask for, as their keepers tell of it: that there is something, so that webhooks hear of each
-- once, and of its end. What it is, nobody here knows.

CREATE TABLE api_approvals (
    tenant_id uuid NOT NULL REFERENCES api_tenants (tenant_id),
    id uuid NOT NULL,
    -- The one session that was at work when it was heard of; absent where that was none, or several.
    session_id text CHECK (char_length(session_id) <= 128),
    heard_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    -- What became of it; absent while it waits.
    outcome text CHECK (outcome IN ('allowed', 'refused', 'expired')),
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX api_approvals_waiting ON api_approvals (ends_at) WHERE outcome IS NULL;
ALTER TABLE api_approvals ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_approvals FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON api_approvals USING (tenant_id = (SELECT holdfast_tenant()));
-- For finding those that have ended without a word, of every tenant: only while no tenant is set, and only where it is asked for.
CREATE POLICY due ON api_approvals FOR SELECT
    USING ((SELECT holdfast_tenant() IS NULL AND current_setting('holdfast.api_approvals', true) = 'due'));
GRANT SELECT, INSERT, DELETE, UPDATE (outcome) ON api_approvals TO holdfast_app;

ALTER TABLE api_webhooks DROP CONSTRAINT api_webhooks_events_check;
ALTER TABLE api_webhooks ADD CONSTRAINT api_webhooks_events_check CHECK (
    cardinality(events) > 0 AND events <@ ARRAY['turn.finished', 'turn.failed', 'approval.waiting', 'approval.ended']);
