-- The people and service accounts of every organisation, of one, or one of them, and which cell is whose, and since when.

DROP FUNCTION operator_people(uuid, uuid, uuid, timestamptz, interval);
CREATE FUNCTION operator_people(only_tenant uuid, only_user uuid, only_cell uuid, at timestamptz, idle interval)
RETURNS TABLE (
    tenant_id uuid, tenant_name text, user_id uuid, user_name text, email text, kind text, role text, created_at timestamptz,
    suspended boolean, second_factor boolean, sessions bigint, last_seen_at timestamptz, cell_id uuid,
    cell_made_at timestamptz
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    every uuid[];
    one uuid;
BEGIN
    PERFORM set_config('holdfast.tenant', '', true);
    every := ARRAY(SELECT t.id FROM tenants t WHERE only_tenant IS NULL OR t.id = only_tenant ORDER BY t.created_at, t.id);
    FOREACH one IN ARRAY every LOOP
        PERFORM set_config('holdfast.tenant', one::text, true);
        RETURN QUERY
            SELECT t.id, t.name, u.id, u.name, u.email, u.kind, u.role, u.created_at, u.deactivated_at IS NOT NULL,
                EXISTS (SELECT FROM authenticators a
                    WHERE a.tenant_id = one AND a.user_id = u.id AND a.confirmed_at IS NOT NULL)
                OR EXISTS (SELECT FROM passkeys p WHERE p.tenant_id = one AND p.user_id = u.id),
                (SELECT count(*) FROM sessions s WHERE s.tenant_id = one AND s.user_id = u.id
                    AND s.expires_at > at AND s.last_seen_at > at - idle),
                (SELECT max(s.last_seen_at) FROM sessions s WHERE s.tenant_id = one AND s.user_id = u.id), c.id, c.created_at
            FROM users u
            JOIN tenants t ON t.id = u.tenant_id
            LEFT JOIN cells c ON c.tenant_id = u.tenant_id AND c.user_id = u.id
            WHERE u.tenant_id = one AND u.removed_at IS NULL AND (only_user IS NULL OR u.id = only_user)
                AND (only_cell IS NULL OR c.id = only_cell)
            ORDER BY u.created_at, u.id;
    END LOOP;
    PERFORM set_config('holdfast.tenant', '', true);
END
$$;
