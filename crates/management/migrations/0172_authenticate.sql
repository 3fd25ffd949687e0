-- Who a session belongs to, as before, in fewer statements: every request begins with it.
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
            WHERE s.id = session_id;
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
