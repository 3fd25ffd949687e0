-- Audit chains that somebody wants watched: when each is gone through next, and how far it held the last time.

CREATE TABLE chain_checks (
    tenant_id uuid PRIMARY KEY REFERENCES tenants (id),
    due_at timestamptz NOT NULL,
    -- A chain that does not go through here any more was cut or written anew.
    seq bigint NOT NULL DEFAULT 0,
    hash bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex') CHECK (octet_length(hash) = 32)
);
CREATE INDEX chain_checks_due ON chain_checks (due_at);
ALTER TABLE chain_checks ENABLE ROW LEVEL SECURITY;
ALTER TABLE chain_checks FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON chain_checks USING (tenant_id = (SELECT holdfast_tenant()));
-- For finding those of every tenant that are due: only while no tenant is set, and only where it is asked for.
CREATE POLICY due ON chain_checks FOR SELECT
    USING ((SELECT holdfast_tenant() IS NULL AND current_setting('holdfast.chain_checks', true) = 'due'));
GRANT SELECT, INSERT, DELETE, UPDATE (due_at, seq, hash) ON chain_checks TO holdfast_app;
