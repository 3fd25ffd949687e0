-- That somebody's agent waits for their word while they are not there, as the keeper of their cell says. For what, nobody here knows.

CREATE TABLE approval_notices (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    user_id uuid NOT NULL,
    -- Since when something waits, and when the last of it ends by itself; neither while nothing waits, or while they are there.
    waiting_since timestamptz,
    ends_at timestamptz,
    -- When they were last told by mail, and before when it is not tried again.
    told_at timestamptz,
    try_at timestamptz,
    CHECK ((waiting_since IS NULL) = (ends_at IS NULL)),
    PRIMARY KEY (tenant_id, user_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES cells (tenant_id, user_id)
);
CREATE INDEX approval_notices_waiting ON approval_notices (waiting_since) WHERE waiting_since IS NOT NULL;
ALTER TABLE approval_notices ENABLE ROW LEVEL SECURITY;
ALTER TABLE approval_notices FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON approval_notices USING (tenant_id = (SELECT holdfast_tenant()));
-- For finding whom to tell, of every tenant: only while no tenant is set, and only where it is asked for.
CREATE POLICY due ON approval_notices FOR SELECT
    USING ((SELECT holdfast_tenant() IS NULL AND current_setting('holdfast.approval_notices', true) = 'due'));
GRANT SELECT, INSERT, DELETE, UPDATE (waiting_since, ends_at, told_at, try_at) ON approval_notices TO holdfast_app;
