-- Whoever has a second factor shows it: what was begun before there was one does not get round it.

CREATE FUNCTION factor_added() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    -- What waited for a factor to be set up waits for it to be shown now, and that a mail once reached somebody proves no more who they are.
    UPDATE sessions SET proved_at = 'epoch', state = CASE state WHEN 'enrol' THEN 'factor' ELSE state END
        WHERE tenant_id = NEW.tenant_id AND user_id = NEW.user_id AND NOT second_factor;
    RETURN NULL;
END
$$;
CREATE TRIGGER added AFTER INSERT ON passkeys FOR EACH ROW EXECUTE FUNCTION factor_added();
-- One that waits for its first code counts for nothing.
CREATE TRIGGER confirmed AFTER UPDATE OF confirmed_at ON authenticators
    FOR EACH ROW WHEN (OLD.confirmed_at IS NULL AND NEW.confirmed_at IS NOT NULL) EXECUTE FUNCTION factor_added();
