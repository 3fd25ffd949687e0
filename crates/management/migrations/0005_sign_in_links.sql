-- Links that were mailed for signing in: single use, short-lived, hashed.

CREATE TABLE sign_in_links (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    user_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX sign_in_links_by_user ON sign_in_links (tenant_id, user_id);
ALTER TABLE sign_in_links ENABLE ROW LEVEL SECURITY;
ALTER TABLE sign_in_links FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON sign_in_links USING (tenant_id = (SELECT holdfast_tenant()));
CREATE POLICY by_token ON sign_in_links FOR SELECT USING (token_hash = (SELECT holdfast_token()));
GRANT SELECT, INSERT, DELETE, UPDATE (used_at) ON sign_in_links TO holdfast_app;
