-- Look-ups of several requests go together in one statement: whose row somebody holds a lock of is noted as used the next time, and no
-- stranger waits for it.
CREATE OR REPLACE FUNCTION authenticate(presented bytea, at timestamptz, idle interval, touch_after interval, used_from text)
RETURNS TABLE (
    session_id uuid, tenant_id uuid, tenant_name text, user_id uuid, user_name text, email text, role text, cell_id uuid,
    state text, proved_at timestamptz
)
LANGUAGE plpgsql AS $$
DECLARE
    found_user uuid;
    seen timestamptz;
    came_from text;
    setting text;
BEGIN
    -- By the token's hash alone.
    setting := set_config('holdfast.tenant', '', true) || set_config('holdfast.token', encode(presented, 'hex'), true);
    SELECT s.id, s.tenant_id, s.user_id, s.state, s.proved_at, s.last_seen_at, s.address
        INTO session_id, tenant_id, found_user, state, proved_at, seen, came_from
        FROM sessions s
        WHERE s.token_hash = presented AND s.expires_at > at AND s.last_seen_at > at - idle;
    -- From here on inside its tenant; without a session, inside none.
    setting := set_config('holdfast.token', '', true) || set_config('holdfast.tenant', coalesce(tenant_id::text, ''), true);
    IF session_id IS NULL THEN
        RETURN;
    END IF;
    IF seen < at - touch_after OR (came_from <> used_from AND used_from <> '') THEN
        UPDATE sessions s SET last_seen_at = greatest(s.last_seen_at, at),
                address = CASE WHEN used_from = '' THEN s.address ELSE used_from END
            WHERE s.id = (SELECT free.id FROM sessions free WHERE free.id = session_id FOR UPDATE SKIP LOCKED);
    END IF;
    SELECT t.name, u.id, u.name, u.email, u.role, c.id INTO tenant_name, user_id, user_name, email, role, cell_id
        FROM users u
        JOIN tenants t ON t.id = u.tenant_id
        JOIN cells c ON c.tenant_id = u.tenant_id AND c.user_id = u.id
        WHERE u.tenant_id = authenticate.tenant_id AND u.id = found_user AND u.deactivated_at IS NULL;
    IF FOUND THEN
        RETURN NEXT;
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION authenticate_key(presented bytea, at timestamptz, touch_after interval, used_from text)
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
        UPDATE api_keys k SET last_used_at = greatest(k.last_used_at, at), last_used_from = used_from
            WHERE k.id = (SELECT free.id FROM api_keys free WHERE free.id = found_key.id FOR UPDATE SKIP LOCKED);
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
