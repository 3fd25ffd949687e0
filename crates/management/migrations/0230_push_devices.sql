-- Browsers that are told by Web Push that something waits for their person: that alone, so nothing is encrypted to them.

CREATE TABLE push_devices (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    user_id uuid NOT NULL,
    -- The session in which it was last turned on or looked at. Whoever ends that session ends this with it; a session that runs out by
    -- itself, or makes room for another, leaves it: who is away is who it is for.
    session_id uuid NOT NULL,
    -- What the browser says of itself.
    name text NOT NULL CHECK (char_length(name) <= 100),
    -- Where its push service takes messages for it: sealed under a key that is not in the database.
    sealed bytea NOT NULL CHECK (octet_length(sealed) <= 4096),
    created_at timestamptz NOT NULL,
    last_told_at timestamptz,
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX push_devices_by_user ON push_devices (tenant_id, user_id);
ALTER TABLE push_devices ENABLE ROW LEVEL SECURITY;
ALTER TABLE push_devices FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON push_devices USING (tenant_id = (SELECT holdfast_tenant()));
GRANT SELECT, INSERT, DELETE, UPDATE (session_id, sealed, last_told_at) ON push_devices TO holdfast_app;

-- A delivery tells for a rule, is the next piece of a stream, tells a webhook, or wakes a device.
ALTER TABLE deliveries ADD COLUMN push_device_id uuid;
ALTER TABLE deliveries ADD CONSTRAINT deliveries_push_device FOREIGN KEY (tenant_id, push_device_id)
    REFERENCES push_devices (tenant_id, id) ON DELETE CASCADE;
ALTER TABLE deliveries DROP CONSTRAINT deliveries_one_purpose;
ALTER TABLE deliveries ADD CONSTRAINT deliveries_one_purpose CHECK (
    CASE WHEN push_device_id IS NOT NULL THEN rule_id IS NULL AND destination_id IS NULL AND webhook_id IS NULL AND notice IS NULL
    WHEN webhook_id IS NOT NULL THEN rule_id IS NULL AND destination_id IS NULL AND notice IS NOT NULL
    ELSE (rule_id IS NULL) = (notice IS NULL) AND (rule_id IS NOT NULL OR destination_id IS NOT NULL) END);
-- However much waits, a device is woken once for it.
CREATE UNIQUE INDEX deliveries_of_push_device ON deliveries (tenant_id, push_device_id) WHERE push_device_id IS NOT NULL;
