-- Which mailboxes people have shown to be theirs, those of before and of who was removed included: what was shared by their keys, or with
-- them, ends with whoever they are.

CREATE TABLE mailboxes_shown (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    user_id uuid NOT NULL,
    mailbox bytea NOT NULL CHECK (octet_length(mailbox) = 32),
    -- When it was last shown: a vault that was moved is whose showed it last.
    shown_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, mailbox, user_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES cells (tenant_id, user_id)
);
-- Read once, for every organisation, by the owner of both tables.
ALTER TABLE mailboxes NO FORCE ROW LEVEL SECURITY;
INSERT INTO mailboxes_shown (tenant_id, user_id, mailbox, shown_at) SELECT tenant_id, user_id, mailbox, opened_at FROM mailboxes;
ALTER TABLE mailboxes FORCE ROW LEVEL SECURITY;
ALTER TABLE mailboxes_shown ENABLE ROW LEVEL SECURITY;
ALTER TABLE mailboxes_shown FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON mailboxes_shown USING (tenant_id = (SELECT holdfast_tenant()));
GRANT SELECT, INSERT, UPDATE (shown_at) ON mailboxes_shown TO holdfast_app;
