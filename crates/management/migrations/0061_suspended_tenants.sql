-- A suspended organisation: everybody in it is suspended, and nobody comes in, until the operator ends it.

ALTER TABLE tenants ADD COLUMN suspended_at timestamptz;
GRANT UPDATE (suspended_at) ON tenants TO holdfast_app;

-- Who was suspended with it, and is let back in with it; those who were suspended before stay so.
ALTER TABLE users ADD COLUMN suspended_with_tenant boolean NOT NULL DEFAULT false;
GRANT UPDATE (suspended_with_tenant) ON users TO holdfast_app;

-- Whatever way somebody comes in by. The lock makes who joins and who suspends wait for each other.
CREATE FUNCTION refuse_in_suspended_tenant() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    since timestamptz;
BEGIN
    SELECT t.suspended_at INTO since FROM tenants t WHERE t.id = NEW.tenant_id FOR SHARE;
    IF since IS NOT NULL THEN
        RAISE EXCEPTION 'this organisation is suspended' USING ERRCODE = 'HF001';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER not_while_suspended BEFORE INSERT ON users
    FOR EACH ROW EXECUTE FUNCTION refuse_in_suspended_tenant();
CREATE TRIGGER not_back_while_suspended BEFORE UPDATE OF deactivated_at ON users
    FOR EACH ROW WHEN (OLD.deactivated_at IS NOT NULL AND NEW.deactivated_at IS NULL) EXECUTE FUNCTION refuse_in_suspended_tenant();
