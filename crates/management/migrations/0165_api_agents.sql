-- Agents of a tenant of the API beside its first, which is in the tenant's own row and called `main`: each has a cell of its own.

CREATE TABLE api_agents (
    tenant_id uuid NOT NULL REFERENCES api_tenants (tenant_id),
    name text COLLATE "C" NOT NULL CHECK (name ~ '^[a-z0-9-]{1,40}$' AND name <> 'main'),
    cell_id uuid NOT NULL UNIQUE,
    -- What it was given, by name and version, and its model, as a tenant's own.
    template text CHECK (char_length(template) BETWEEN 1 AND 40),
    template_version text CHECK (char_length(template_version) BETWEEN 1 AND 64),
    model_kind text CHECK (model_kind IN ('openai', 'anthropic')),
    model_base_url text CHECK (octet_length(model_base_url) <= 8192),
    model_name text CHECK (octet_length(model_name) <= 8192),
    -- Its share of what the tenant may spend, which its keeper holds it to. Millionths of a US dollar.
    spend_day bigint CHECK (spend_day >= 0),
    spend_month bigint CHECK (spend_month >= 0),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, name),
    CHECK ((template IS NULL) = (template_version IS NULL)),
    CHECK ((model_kind IS NULL) = (model_base_url IS NULL) AND (model_kind IS NULL) = (model_name IS NULL))
);
ALTER TABLE api_agents ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_agents FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON api_agents USING (tenant_id = (SELECT holdfast_tenant()));
GRANT SELECT, INSERT, DELETE, UPDATE (template, template_version, model_kind, model_base_url, model_name, spend_day, spend_month, updated_at)
    ON api_agents TO holdfast_app;

-- Shares that were given back, by an agent that is gone or has less now: it may have spent them, so nobody else has them until the day, or
-- the month, is over. `held_on` is the day of UTC of the last of these.
ALTER TABLE api_tenants ADD COLUMN held_day bigint NOT NULL DEFAULT 0 CHECK (held_day >= 0);
ALTER TABLE api_tenants ADD COLUMN held_month bigint NOT NULL DEFAULT 0 CHECK (held_month >= 0);
ALTER TABLE api_tenants ADD COLUMN held_on date;
GRANT UPDATE (held_day, held_month, held_on) ON api_tenants TO holdfast_app;

-- Sessions are an agent's, and so is what it asks for; those that there are, are `main`'s.
ALTER TABLE api_sessions ADD COLUMN agent text COLLATE "C" NOT NULL DEFAULT 'main' CHECK (agent ~ '^[a-z0-9-]{1,40}$');
ALTER TABLE api_sessions DROP CONSTRAINT api_sessions_pkey;
ALTER TABLE api_sessions ADD PRIMARY KEY (tenant_id, agent, id);
ALTER TABLE api_approvals ADD COLUMN agent text COLLATE "C" NOT NULL DEFAULT 'main' CHECK (agent ~ '^[a-z0-9-]{1,40}$');

-- As before, and says whether something is held.
DROP FUNCTION authenticate_tenant_key(bytea, timestamptz);
CREATE FUNCTION authenticate_tenant_key(presented bytea, at timestamptz)
RETURNS TABLE (
    tenant_id uuid, cell_id uuid, name text, model_kind text, model_base_url text, model_name text, requests_per_minute integer,
    held_on date, created_at timestamptz
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    found_key api_tenant_keys%ROWTYPE;
BEGIN
    PERFORM set_config('holdfast.tenant', '', true), set_config('holdfast.token', encode(presented, 'hex'), true);
    SELECT * INTO found_key FROM api_tenant_keys k WHERE k.key_hash = presented AND (k.expires_at IS NULL OR k.expires_at > at);
    PERFORM set_config('holdfast.token', '', true);
    IF found_key.id IS NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('holdfast.tenant', found_key.tenant_id::text, true);
    RETURN QUERY
        SELECT t.tenant_id, t.cell_id, t.name, t.model_kind, t.model_base_url, t.model_name, t.requests_per_minute, t.held_on, t.created_at
        FROM api_tenants t WHERE t.tenant_id = found_key.tenant_id;
END
$$;
