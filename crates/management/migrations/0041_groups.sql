-- Some people of an organisation who have something in common. What a group shares is not kept here.

CREATE TABLE groups (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    created_at timestamptz NOT NULL,
    archived_at timestamptz,
    UNIQUE (tenant_id, id)
);
ALTER TABLE groups ENABLE ROW LEVEL SECURITY;
ALTER TABLE groups FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON groups USING (tenant_id = (SELECT holdfast_tenant()));
GRANT SELECT, INSERT, UPDATE (name, archived_at) ON groups TO holdfast_app;

CREATE TABLE group_members (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    group_id uuid NOT NULL,
    user_id uuid NOT NULL,
    role text NOT NULL CHECK (role IN ('admin', 'member')),
    joined_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, group_id, user_id),
    FOREIGN KEY (tenant_id, group_id) REFERENCES groups (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX group_members_by_user ON group_members (tenant_id, user_id);
ALTER TABLE group_members ENABLE ROW LEVEL SECURITY;
ALTER TABLE group_members FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON group_members USING (tenant_id = (SELECT holdfast_tenant()));
GRANT SELECT, INSERT, DELETE, UPDATE (role) ON group_members TO holdfast_app;

-- To an address, whether or not somebody has it: who invites is not told. Whoever signs in with it answers.
CREATE TABLE group_invitations (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    group_id uuid NOT NULL,
    email text NOT NULL CHECK (char_length(email) BETWEEN 3 AND 254 AND email = lower(email)),
    role text NOT NULL CHECK (role IN ('admin', 'member')),
    invited_by uuid NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    accepted_at timestamptz,
    declined_at timestamptz,
    withdrawn_at timestamptz,
    FOREIGN KEY (tenant_id, group_id) REFERENCES groups (tenant_id, id),
    FOREIGN KEY (tenant_id, invited_by) REFERENCES users (tenant_id, id)
);
-- A declined one looks open to who sent it, so it is in the way of another one like an open one is.
CREATE UNIQUE INDEX group_invitations_open ON group_invitations (tenant_id, group_id, email)
    WHERE accepted_at IS NULL AND withdrawn_at IS NULL;
CREATE INDEX group_invitations_by_email ON group_invitations (tenant_id, email);
ALTER TABLE group_invitations ENABLE ROW LEVEL SECURITY;
ALTER TABLE group_invitations FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON group_invitations USING (tenant_id = (SELECT holdfast_tenant()));
GRANT SELECT, INSERT, UPDATE (accepted_at, declined_at, withdrawn_at) ON group_invitations TO holdfast_app;
