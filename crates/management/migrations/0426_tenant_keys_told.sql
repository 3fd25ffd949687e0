-- Whoever listens is told of each tenant's key that is deleted, or is to end at another time, in the same commit.
CREATE FUNCTION tenant_key_changed() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('holdfast_tenant_key_changed', OLD.id::text);
    RETURN NULL;
END
$$;
CREATE TRIGGER ended AFTER DELETE ON api_tenant_keys FOR EACH ROW EXECUTE FUNCTION tenant_key_changed();
CREATE TRIGGER ends AFTER UPDATE OF expires_at ON api_tenant_keys FOR EACH ROW EXECUTE FUNCTION tenant_key_changed();

-- As before, and says which key it is.
DROP FUNCTION authenticate_tenant_key(bytea, timestamptz);
CREATE FUNCTION authenticate_tenant_key(presented bytea, at timestamptz)
RETURNS TABLE (
    key_id uuid, tenant_id uuid, cell_id uuid, name text, model_kind text, model_base_url text, model_name text,
    requests_per_minute integer, held_on date, created_at timestamptz
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
        SELECT found_key.id, t.tenant_id, t.cell_id, t.name, t.model_kind, t.model_base_url, t.model_name, t.requests_per_minute,
            t.held_on, t.created_at
        FROM api_tenants t WHERE t.tenant_id = found_key.tenant_id;
END
$$;
