-- Other sites that people sign in with: what an organisation has set up, which accounts there are whose, and sign-ins under way.

-- The organisation that the installation was set up for: its buttons are on the sign-in page where no other is named.
ALTER TABLE installation ADD COLUMN set_up_for uuid REFERENCES tenants (id);
ALTER TABLE tenants NO FORCE ROW LEVEL SECURITY;
UPDATE installation SET set_up_for = (SELECT id FROM tenants ORDER BY created_at, id LIMIT 1) WHERE set_up_at IS NOT NULL;
ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
GRANT UPDATE (set_up_for) ON installation TO holdfast_app;

-- The provider whose button was pressed, for finding its organisation; only while no tenant is set.
CREATE FUNCTION holdfast_provider() RETURNS uuid
LANGUAGE sql STABLE
RETURN CASE WHEN holdfast_tenant() IS NULL
    THEN nullif(current_setting('holdfast.provider', true), '')::uuid END;

CREATE TABLE sign_in_providers (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    kind text NOT NULL CHECK (kind IN ('google', 'microsoft', 'github', 'oidc')),
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    -- Never changed: accounts are told apart by it.
    issuer text NOT NULL CHECK (char_length(issuer) BETWEEN 8 AND 512),
    client_id text NOT NULL DEFAULT '' CHECK (char_length(client_id) <= 512),
    -- Sealed under a key that is not in the database.
    sealed_secret bytea CHECK (octet_length(sealed_secret) <= 2048),
    enabled boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    CHECK (NOT enabled OR (client_id <> '' AND sealed_secret IS NOT NULL)),
    UNIQUE (tenant_id, id),
    UNIQUE (tenant_id, issuer)
);
ALTER TABLE sign_in_providers ENABLE ROW LEVEL SECURITY;
ALTER TABLE sign_in_providers FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON sign_in_providers USING (tenant_id = (SELECT holdfast_tenant()));
CREATE POLICY by_id ON sign_in_providers FOR SELECT USING (id = (SELECT holdfast_provider()));
GRANT SELECT, INSERT, DELETE, UPDATE (name, client_id, sealed_secret, enabled) ON sign_in_providers TO holdfast_app;

-- Accounts at other sites, by whom the site says that they are: never by an e-mail address.
CREATE TABLE linked_accounts (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    user_id uuid NOT NULL,
    issuer text NOT NULL,
    subject text NOT NULL CHECK (char_length(subject) BETWEEN 1 AND 255),
    -- What the site calls the account, for its owner to recognise it.
    label text NOT NULL CHECK (char_length(label) <= 254),
    created_at timestamptz NOT NULL,
    last_used_at timestamptz,
    UNIQUE (tenant_id, issuer, subject),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX linked_accounts_by_user ON linked_accounts (tenant_id, user_id);
ALTER TABLE linked_accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE linked_accounts FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON linked_accounts USING (tenant_id = (SELECT holdfast_tenant()));
GRANT SELECT, INSERT, DELETE, UPDATE (label, last_used_at) ON linked_accounts TO holdfast_app;

-- Somebody was sent to another site and is to come back: single use, minutes, hashed, for the browser that was sent.
CREATE TABLE sign_in_attempts (
    state_hash bytea PRIMARY KEY CHECK (octet_length(state_hash) = 32),
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    provider_id uuid NOT NULL,
    browser_hash bytea NOT NULL CHECK (octet_length(browser_hash) = 32),
    -- The session that asked to link an account; none: to sign in.
    session_id uuid,
    expires_at timestamptz NOT NULL,
    FOREIGN KEY (tenant_id, provider_id) REFERENCES sign_in_providers (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX sign_in_attempts_by_end ON sign_in_attempts (tenant_id, expires_at);
ALTER TABLE sign_in_attempts ENABLE ROW LEVEL SECURITY;
ALTER TABLE sign_in_attempts FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON sign_in_attempts USING (tenant_id = (SELECT holdfast_tenant()));
CREATE POLICY by_token ON sign_in_attempts FOR SELECT USING (state_hash = (SELECT holdfast_token()));
GRANT SELECT, INSERT, DELETE ON sign_in_attempts TO holdfast_app;
