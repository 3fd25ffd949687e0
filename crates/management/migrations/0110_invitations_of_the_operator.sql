-- The operator makes an organisation and invites its owner: such an invitation is from nobody in it.

ALTER TABLE invitations ALTER COLUMN invited_by DROP NOT NULL;
ALTER TABLE invitations ADD CONSTRAINT operator_invites_owners CHECK (invited_by IS NOT NULL OR role = 'owner');

-- Whoever runs the machine comes into no organisation in which somebody is, or was.
CREATE FUNCTION refuse_owner_from_outside() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM users u WHERE u.tenant_id = NEW.tenant_id;
    IF FOUND THEN
        RAISE EXCEPTION 'somebody is in this organisation' USING ERRCODE = 'check_violation', CONSTRAINT = 'operator_invites_where_nobody_is';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER operator_invites_where_nobody_is BEFORE INSERT ON invitations
    FOR EACH ROW WHEN (NEW.invited_by IS NULL) EXECUTE FUNCTION refuse_owner_from_outside();
