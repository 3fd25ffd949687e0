-- What was done, by whom, from where, to what, and how it ended: one hash chain a tenant. The application's role adds to it
-- and can change nothing in it.

CREATE TABLE audit_events (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    -- 1, 2, 3, ... without a gap.
    seq bigint NOT NULL CHECK (seq > 0),
    -- The event as it was hashed: the text, byte for byte.
    body text NOT NULL,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    -- Taken from the body by PostgreSQL, for searching.
    at bigint NOT NULL GENERATED ALWAYS AS ((body::jsonb ->> 'at')::bigint) STORED,
    action text NOT NULL GENERATED ALWAYS AS (body::jsonb ->> 'action') STORED,
    outcome text NOT NULL GENERATED ALWAYS AS (body::jsonb ->> 'outcome') STORED,
    actor text GENERATED ALWAYS AS (body::jsonb -> 'actor' ->> 'id') STORED,
    target text GENERATED ALWAYS AS (body::jsonb -> 'target' ->> 'id') STORED,
    PRIMARY KEY (tenant_id, seq)
);
CREATE INDEX audit_events_by_time ON audit_events (tenant_id, at);
CREATE INDEX audit_events_by_actor ON audit_events (tenant_id, actor, seq);
CREATE INDEX audit_events_by_target ON audit_events (tenant_id, target, seq);
ALTER TABLE audit_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_events FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON audit_events USING (tenant_id = (SELECT holdfast_tenant()));
GRANT SELECT, INSERT (tenant_id, seq, body, hash) ON audit_events TO holdfast_app;

-- Where each chain ends. Locked while an event is added, so that numbers have no gap.
CREATE TABLE audit_heads (
    tenant_id uuid PRIMARY KEY REFERENCES tenants (id),
    seq bigint NOT NULL,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32)
);
ALTER TABLE audit_heads ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_heads FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON audit_heads USING (tenant_id = (SELECT holdfast_tenant()));
GRANT SELECT, INSERT, UPDATE (seq, hash) ON audit_heads TO holdfast_app;

-- Signatures over a place of the chain, so that it cannot be computed anew from an edit on.
CREATE TABLE audit_checkpoints (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    seq bigint NOT NULL,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    at bigint NOT NULL,
    signature bytea NOT NULL CHECK (octet_length(signature) = 64),
    PRIMARY KEY (tenant_id, seq)
);
ALTER TABLE audit_checkpoints ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_checkpoints FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON audit_checkpoints USING (tenant_id = (SELECT holdfast_tenant()));
GRANT SELECT, INSERT ON audit_checkpoints TO holdfast_app;
