-- Webhooks of the tenant API's tenants: told of turns that ended, through the one queue of what leaves.

-- Of tenants of the API (`api_tenants`, which a later number makes on a new database: so there is no foreign key, and the tenant's row is
-- locked while one is added and while all are removed).
CREATE TABLE api_webhooks (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    -- Host and port of its address, for people to know it by. The rest of the address may be a secret.
    host text NOT NULL CHECK (char_length(host) BETWEEN 1 AND 300),
    -- What it is told of.
    events text[] NOT NULL CHECK (cardinality(events) > 0 AND events <@ ARRAY['turn.finished', 'turn.failed']),
    -- The address, and the secret of its signatures: sealed as platform secrets are.
    key_id integer NOT NULL CHECK (key_id > 0),
    sealed bytea NOT NULL CHECK (octet_length(sealed) <= 8192),
    created_at timestamptz NOT NULL,
    last_sent_at timestamptz,
    last_failed_at timestamptz,
    -- Why the last delivery was not taken; empty when it was.
    last_problem text NOT NULL DEFAULT '' CHECK (char_length(last_problem) <= 300),
    -- Deliveries that were given up. They are not kept.
    given_up bigint NOT NULL DEFAULT 0,
    UNIQUE (tenant_id, id)
);
ALTER TABLE api_webhooks ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_webhooks FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON api_webhooks USING (tenant_id = (SELECT holdfast_tenant()));
GRANT SELECT, INSERT, DELETE, UPDATE (key_id, sealed, last_sent_at, last_failed_at, last_problem, given_up) ON api_webhooks TO holdfast_app;

-- A delivery tells for a rule, is the next piece of a stream, or tells a webhook. Whose it is follows from where it goes.
ALTER TABLE deliveries DROP CONSTRAINT deliveries_tenant_id_fkey;
ALTER TABLE deliveries ADD COLUMN webhook_id uuid;
ALTER TABLE deliveries ADD CONSTRAINT deliveries_webhook FOREIGN KEY (tenant_id, webhook_id)
    REFERENCES api_webhooks (tenant_id, id) ON DELETE CASCADE;
ALTER TABLE deliveries DROP CONSTRAINT deliveries_one_purpose;
ALTER TABLE deliveries ADD CONSTRAINT deliveries_one_purpose CHECK (
    CASE WHEN webhook_id IS NOT NULL THEN rule_id IS NULL AND destination_id IS NULL AND notice IS NOT NULL
    ELSE (rule_id IS NULL) = (notice IS NULL) AND (rule_id IS NOT NULL OR destination_id IS NOT NULL) END);
CREATE INDEX deliveries_by_webhook ON deliveries (tenant_id, webhook_id);
