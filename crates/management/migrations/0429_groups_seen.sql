-- The groups that somebody sees, as groups.rs listed them, in one call: for many who ask at once, of whatever tenants.
CREATE FUNCTION groups_seen(tenant uuid, person uuid, every boolean, most bigint)
RETURNS TABLE (id uuid, name text, archived boolean, role text, members bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM set_config('holdfast.tenant', tenant::text, true);
    RETURN QUERY
        SELECT g.id, g.name, g.archived_at IS NOT NULL, m.role,
            (SELECT count(*) FROM group_members c WHERE c.tenant_id = g.tenant_id AND c.group_id = g.id)
        FROM groups g
        LEFT JOIN group_members m ON m.tenant_id = g.tenant_id AND m.group_id = g.id AND m.user_id = person
        WHERE g.tenant_id = tenant AND (m.user_id IS NOT NULL OR every)
        ORDER BY g.archived_at IS NOT NULL, lower(g.name), g.id LIMIT most;
END
$$;
