-- Which mailbox at the relay is whose, as it was proved over the connection of their own cell; and that something waits in it while the
-- vault is locked. From whom, and what, nobody here knows.

CREATE TABLE mailboxes (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    user_id uuid NOT NULL,
    mailbox bytea NOT NULL CHECK (octet_length(mailbox) = 32),
    -- When its keeper last came to fetch: whatever waited before has arrived.
    opened_at timestamptz NOT NULL,
    -- Something has waited since then, and was last seen waiting then; neither while nothing waits.
    waiting_since timestamptz,
    waiting_seen_at timestamptz,
    -- When the owner was last told by mail, and before when it is not tried again.
    told_at timestamptz,
    try_at timestamptz,
    CHECK ((waiting_since IS NULL) = (waiting_seen_at IS NULL)),
    PRIMARY KEY (tenant_id, user_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES cells (tenant_id, user_id)
);
CREATE INDEX mailboxes_by_key ON mailboxes (mailbox);
CREATE INDEX mailboxes_waiting ON mailboxes (waiting_since) WHERE waiting_since IS NOT NULL;
ALTER TABLE mailboxes ENABLE ROW LEVEL SECURITY;
ALTER TABLE mailboxes FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON mailboxes USING (tenant_id = (SELECT holdfast_tenant()));
-- For finding whose a mailbox is, and which owners of every tenant are to be told: only while no tenant is set, and only where it is
-- asked for.
CREATE POLICY due ON mailboxes FOR SELECT
    USING ((SELECT holdfast_tenant() IS NULL AND current_setting('holdfast.mailboxes', true) = 'due'));
GRANT SELECT, INSERT, DELETE, UPDATE (mailbox, opened_at, waiting_since, waiting_seen_at, told_at, try_at) ON mailboxes TO holdfast_app;
