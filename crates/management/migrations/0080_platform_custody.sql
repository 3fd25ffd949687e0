-- Platform custody: what management keeps to open the vaults of cells that are made through the tenant API, and that no person opens.

-- Whether the transaction looks over all tenants of the API, as whoever has the operator's token may; only while no tenant is set.
CREATE FUNCTION holdfast_all_api_tenants() RETURNS boolean
LANGUAGE sql STABLE
RETURN holdfast_tenant() IS NULL AND coalesce(current_setting('holdfast.api_tenants', true), '') = 'all';

-- Random keys that seal what is kept, each sealed itself under the master key, which is in no table. After a change of the master key
-- there are two copies of the newest one, until the server starts with the new master key.
CREATE TABLE wrapping_keys (
    id integer NOT NULL CHECK (id > 0),
    -- Of Argon2id, and which copy this is.
    salt bytea NOT NULL CHECK (octet_length(salt) = 16),
    sealed bytea NOT NULL CHECK (octet_length(sealed) = 61),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (id, salt)
);
GRANT SELECT, INSERT, DELETE ON wrapping_keys TO holdfast_app;

-- A developer's own user: one isolated agent. Not a row of `tenants`: nobody signs in to it, and it can be removed without a trace.
CREATE TABLE api_tenants (
    tenant_id uuid PRIMARY KEY,
    cell_id uuid NOT NULL UNIQUE,
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    -- The model as the developer named it. Its key is in the cell's vault and nowhere else.
    model_kind text CHECK (model_kind IN ('openai', 'anthropic')),
    model_base_url text CHECK (octet_length(model_base_url) <= 8192),
    model_name text CHECK (octet_length(model_name) <= 8192),
    requests_per_minute integer CHECK (requests_per_minute > 0),
    -- Millionths of a US dollar.
    spend_day bigint CHECK (spend_day >= 0),
    spend_month bigint CHECK (spend_month >= 0),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK ((model_kind IS NULL) = (model_base_url IS NULL) AND (model_kind IS NULL) = (model_name IS NULL))
);
ALTER TABLE api_tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_tenants FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON api_tenants USING (tenant_id = (SELECT holdfast_tenant()));
CREATE POLICY listed ON api_tenants FOR SELECT USING ((SELECT holdfast_all_api_tenants()));
GRANT SELECT, INSERT, DELETE, UPDATE (name, model_kind, model_base_url, model_name, requests_per_minute, spend_day, spend_month, updated_at)
    ON api_tenants TO holdfast_app;

CREATE TABLE platform_secrets (
    tenant_id uuid NOT NULL REFERENCES api_tenants (tenant_id),
    cell_id uuid PRIMARY KEY,
    key_id integer NOT NULL CHECK (key_id > 0),
    sealed bytea NOT NULL CHECK (octet_length(sealed) = 61),
    -- What the keeper proved, to know it again by, and how new its vault was; absent until the vault is made.
    keeper_key bytea CHECK (octet_length(keeper_key) = 32),
    epoch bigint NOT NULL DEFAULT 0 CHECK (epoch >= 0)
);
CREATE INDEX platform_secrets_by_tenant ON platform_secrets (tenant_id);
ALTER TABLE platform_secrets ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform_secrets FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON platform_secrets USING (tenant_id = (SELECT holdfast_tenant()));
GRANT SELECT, INSERT, DELETE, UPDATE (key_id, sealed, keeper_key, epoch) ON platform_secrets TO holdfast_app;
