-- Who waits to be let in, in every organisation, or one of them who waits. Runs with the caller's rights, under the policies, as
-- operator_people does. Of an organisation that is suspended nobody: nobody comes in there.
CREATE FUNCTION operator_waiting(only_request uuid)
RETURNS TABLE (tenant_id uuid, tenant_name text, request_id uuid, name text, email text, issuer text, created_at timestamptz)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    every uuid[];
    one uuid;
BEGIN
    PERFORM set_config('holdfast.tenant', '', true);
    every := ARRAY(SELECT t.id FROM tenants t WHERE t.suspended_at IS NULL ORDER BY t.created_at, t.id);
    FOREACH one IN ARRAY every LOOP
        PERFORM set_config('holdfast.tenant', one::text, true);
        RETURN QUERY
            SELECT t.id, t.name, r.id, r.name, r.email, r.issuer, r.created_at
            FROM join_requests r
            JOIN tenants t ON t.id = r.tenant_id
            WHERE r.tenant_id = one AND r.refused_at IS NULL AND (only_request IS NULL OR r.id = only_request)
            ORDER BY r.created_at, r.id;
    END LOOP;
    PERFORM set_config('holdfast.tenant', '', true);
END
$$;
