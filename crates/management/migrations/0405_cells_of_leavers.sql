-- Cells whose owners may not use them: of who is suspended until they are let back in, of who was removed until nothing is left of it.
-- Whatever suspends, lets back in or removes somebody, a trigger keeps the list, so no cell is forgotten when a server ends in between.

CREATE TABLE cells_of_leavers (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    user_id uuid NOT NULL,
    cell_id uuid NOT NULL REFERENCES cells (id),
    -- Its owner was removed.
    erase boolean NOT NULL,
    PRIMARY KEY (tenant_id, user_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES cells (tenant_id, user_id)
);
ALTER TABLE cells_of_leavers ENABLE ROW LEVEL SECURITY;
ALTER TABLE cells_of_leavers FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON cells_of_leavers USING (tenant_id = (SELECT holdfast_tenant()));
-- For finding those of every tenant: only while no tenant is set, and only where it is asked for.
CREATE POLICY due ON cells_of_leavers FOR SELECT
    USING ((SELECT holdfast_tenant() IS NULL AND current_setting('holdfast.cells_of_leavers', true) = 'due'));
GRANT SELECT, INSERT, DELETE, UPDATE (erase) ON cells_of_leavers TO holdfast_app;

-- Those who left before: of who was removed, too, since something may be left of their cells.
ALTER TABLE cells_of_leavers NO FORCE ROW LEVEL SECURITY;
ALTER TABLE cells NO FORCE ROW LEVEL SECURITY;
ALTER TABLE users NO FORCE ROW LEVEL SECURITY;
INSERT INTO cells_of_leavers (tenant_id, user_id, cell_id, erase)
    SELECT c.tenant_id, c.user_id, c.id, u.removed_at IS NOT NULL
    FROM cells c JOIN users u ON u.tenant_id = c.tenant_id AND u.id = c.user_id
    WHERE u.deactivated_at IS NOT NULL;
ALTER TABLE users FORCE ROW LEVEL SECURITY;
ALTER TABLE cells FORCE ROW LEVEL SECURITY;
ALTER TABLE cells_of_leavers FORCE ROW LEVEL SECURITY;

CREATE FUNCTION note_cell_of_leaver() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.deactivated_at IS NULL THEN
        DELETE FROM cells_of_leavers l WHERE l.tenant_id = NEW.tenant_id AND l.user_id = NEW.id;
    ELSE
        INSERT INTO cells_of_leavers (tenant_id, user_id, cell_id, erase)
            SELECT c.tenant_id, c.user_id, c.id, NEW.removed_at IS NOT NULL FROM cells c
            WHERE c.tenant_id = NEW.tenant_id AND c.user_id = NEW.id
            ON CONFLICT (tenant_id, user_id) DO UPDATE SET erase = EXCLUDED.erase;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER note_cell_of_leaver AFTER UPDATE OF deactivated_at, removed_at ON users
    FOR EACH ROW WHEN ((OLD.deactivated_at IS NULL) <> (NEW.deactivated_at IS NULL) OR (OLD.removed_at IS NULL) <> (NEW.removed_at IS NULL))
    EXECUTE FUNCTION note_cell_of_leaver();
