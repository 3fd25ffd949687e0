-- The public keys of each person's vault, signed by themselves. Handed out, never believed: whoever uses them pins them.

CREATE TABLE identities (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    user_id uuid NOT NULL,
    bundle bytea NOT NULL CHECK (octet_length(bundle) BETWEEN 65 AND 1024),
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, user_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
ALTER TABLE identities ENABLE ROW LEVEL SECURITY;
ALTER TABLE identities FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON identities USING (tenant_id = (SELECT holdfast_tenant()));
GRANT SELECT, INSERT, UPDATE (bundle, updated_at) ON identities TO holdfast_app;
