-- The tenant API: keys of tenants, their sessions, and answers that are given again.

CREATE TABLE api_tenant_keys (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES api_tenants (tenant_id),
    -- SHA-256 of a domain and the key's 32 random bytes.
    key_hash bytea NOT NULL UNIQUE CHECK (octet_length(key_hash) = 32),
    -- Its first characters, to know it again by.
    hint text NOT NULL CHECK (char_length(hint) <= 12),
    created_at timestamptz NOT NULL,
    -- Set when another one took its place: it works until then.
    expires_at timestamptz
);
CREATE INDEX api_tenant_keys_by_tenant ON api_tenant_keys (tenant_id);
ALTER TABLE api_tenant_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_tenant_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON api_tenant_keys USING (tenant_id = (SELECT holdfast_tenant()));
CREATE POLICY by_token ON api_tenant_keys FOR SELECT USING (key_hash = (SELECT holdfast_token()));
GRANT SELECT, INSERT, DELETE, UPDATE (expires_at) ON api_tenant_keys TO holdfast_app;

-- Finds whose a key is, in one round trip: first by the hash alone, then inside that tenant.
CREATE FUNCTION authenticate_tenant_key(presented bytea, at timestamptz)
RETURNS TABLE (
    tenant_id uuid, cell_id uuid, name text, model_kind text, model_base_url text, model_name text, requests_per_minute integer,
    created_at timestamptz
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
        SELECT t.tenant_id, t.cell_id, t.name, t.model_kind, t.model_base_url, t.model_name, t.requests_per_minute, t.created_at
        FROM api_tenants t WHERE t.tenant_id = found_key.tenant_id;
END
$$;

-- The caller's name for a conversation, and the keeper's. What was said, and its title, are in the cell.
CREATE TABLE api_sessions (
    tenant_id uuid NOT NULL REFERENCES api_tenants (tenant_id),
    id text COLLATE "C" NOT NULL CHECK (id ~ '^[A-Za-z0-9_-]{1,128}$'),
    conversation text NOT NULL CHECK (char_length(conversation) BETWEEN 1 AND 100),
    created_at timestamptz NOT NULL,
    used_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
ALTER TABLE api_sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_sessions FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON api_sessions USING (tenant_id = (SELECT holdfast_tenant()));
GRANT SELECT, INSERT, DELETE, UPDATE (used_at) ON api_sessions TO holdfast_app;

-- Writes that named an `Idempotency-Key`: what was asked (a hash), and what was answered (sealed as platform secrets are: there may be a
-- new key in it). Those of the operator are of the tenant 0.
CREATE TABLE api_writes (
    tenant_id uuid NOT NULL,
    key_hash bytea NOT NULL CHECK (octet_length(key_hash) = 32),
    request_hash bytea NOT NULL CHECK (octet_length(request_hash) = 32),
    begun_at timestamptz NOT NULL,
    -- Absent while it is under way.
    status smallint,
    key_id integer,
    sealed bytea,
    PRIMARY KEY (tenant_id, key_hash)
);
ALTER TABLE api_writes ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_writes FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON api_writes USING (tenant_id = (SELECT holdfast_tenant()));
GRANT SELECT, INSERT, DELETE, UPDATE (request_hash, begun_at, status, key_id, sealed) ON api_writes TO holdfast_app;
