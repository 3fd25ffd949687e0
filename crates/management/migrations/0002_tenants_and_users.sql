-- Organisations and the people in them.

CREATE TABLE tenants (
    id uuid PRIMARY KEY,
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    created_at timestamptz NOT NULL
);
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON tenants USING (id = (SELECT holdfast_tenant()));
GRANT SELECT, INSERT ON tenants TO holdfast_app;

CREATE TABLE users (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    -- Lower case; what a sign-in link is sent to.
    email text NOT NULL CHECK (char_length(email) BETWEEN 3 AND 254 AND email = lower(email)),
    role text NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'observer')),
    created_at timestamptz NOT NULL,
    deactivated_at timestamptz,
    UNIQUE (tenant_id, email),
    UNIQUE (tenant_id, id)
);
CREATE INDEX users_by_email ON users (email);
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
ALTER TABLE users FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON users USING (tenant_id = (SELECT holdfast_tenant()));
CREATE POLICY by_email ON users FOR SELECT USING (email = (SELECT holdfast_email()));
GRANT SELECT, INSERT ON users TO holdfast_app;
