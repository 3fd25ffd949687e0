-- Letters between vaults, sealed by one and opened by another, until the relay carries them. Opaque here; gone once they are taken.

CREATE TABLE letters (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    from_user uuid NOT NULL,
    to_user uuid NOT NULL,
    body bytea NOT NULL CHECK (octet_length(body) BETWEEN 1 AND 8192),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, from_user, id),
    FOREIGN KEY (tenant_id, from_user) REFERENCES users (tenant_id, id),
    FOREIGN KEY (tenant_id, to_user) REFERENCES users (tenant_id, id)
);
CREATE INDEX letters_to ON letters (tenant_id, to_user, created_at);
ALTER TABLE letters ENABLE ROW LEVEL SECURITY;
ALTER TABLE letters FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON letters USING (tenant_id = (SELECT holdfast_tenant()));
GRANT SELECT, INSERT, DELETE ON letters TO holdfast_app;
