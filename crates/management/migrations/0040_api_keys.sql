-- Keys with which programs call the API, for a person or for an account that is no person's. And: roles may change.

-- A service account has a row here for its role and its place in the audit log. It has no mailbox, so nobody signs in as it.
ALTER TABLE users
    ADD COLUMN kind text NOT NULL DEFAULT 'person' CHECK (kind IN ('person', 'service')),
    ADD CONSTRAINT services_own_nothing CHECK (kind = 'person' OR role <> 'owner');
GRANT UPDATE (role) ON users TO holdfast_app;

CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    user_id uuid NOT NULL,
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    -- SHA-256 of a domain and the key's 32 random bytes.
    key_hash bytea NOT NULL UNIQUE CHECK (octet_length(key_hash) = 32),
    -- Its first characters, to know it again by.
    hint text NOT NULL CHECK (char_length(hint) <= 12),
    scopes text[] NOT NULL CHECK (cardinality(scopes) BETWEEN 1 AND 32),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    -- Another one took its place; it works until `expires_at`.
    replaced_at timestamptz,
    last_used_at timestamptz,
    last_used_from text NOT NULL DEFAULT '' CHECK (char_length(last_used_from) <= 45),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX api_keys_by_user ON api_keys (tenant_id, user_id);
ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON api_keys USING (tenant_id = (SELECT holdfast_tenant()));
CREATE POLICY by_token ON api_keys FOR SELECT USING (key_hash = (SELECT holdfast_token()));
GRANT SELECT, INSERT, DELETE, UPDATE (expires_at, replaced_at, last_used_at, last_used_from) ON api_keys TO holdfast_app;

-- Finds whose a key is, in one round trip, as `authenticate` does for sessions: first by the hash alone, then inside that tenant.
-- Where the organisation asks everybody for a second factor, a person without one gets in no way, a key included.
CREATE FUNCTION authenticate_key(presented bytea, at timestamptz, touch_after interval, used_from text)
RETURNS TABLE (
    key_id uuid, key_name text, scopes text[], tenant_id uuid, tenant_name text, user_id uuid, user_name text, email text,
    role text, cell_id uuid, state text
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    found_key api_keys%ROWTYPE;
BEGIN
    PERFORM set_config('holdfast.tenant', '', true), set_config('holdfast.token', encode(presented, 'hex'), true);
    SELECT * INTO found_key FROM api_keys k WHERE k.key_hash = presented AND k.expires_at > at;
    PERFORM set_config('holdfast.token', '', true);
    IF found_key.id IS NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('holdfast.tenant', found_key.tenant_id::text, true);
    IF found_key.last_used_at IS NULL OR found_key.last_used_at < at - touch_after OR found_key.last_used_from <> used_from THEN
        UPDATE api_keys k SET last_used_at = greatest(k.last_used_at, at), last_used_from = used_from WHERE k.id = found_key.id;
    END IF;
    RETURN QUERY
        SELECT found_key.id, found_key.name, found_key.scopes, t.id, t.name, u.id, u.name, u.email, u.role, c.id,
            CASE WHEN u.kind = 'person' AND t.second_factor_required AND NOT EXISTS (
                SELECT FROM authenticators a
                WHERE a.tenant_id = u.tenant_id AND a.user_id = u.id AND a.confirmed_at IS NOT NULL)
                AND NOT EXISTS (SELECT FROM passkeys p WHERE p.tenant_id = u.tenant_id AND p.user_id = u.id)
            THEN 'enrol' ELSE 'full' END
        FROM users u
        JOIN tenants t ON t.id = u.tenant_id
        JOIN cells c ON c.tenant_id = u.tenant_id AND c.user_id = u.id
        WHERE u.tenant_id = found_key.tenant_id AND u.id = found_key.user_id AND u.deactivated_at IS NULL;
END
$$;
