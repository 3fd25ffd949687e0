-- Recovery by contacts: who is asked, what is asked, and what was released. All of it hints and sealed bytes: what decides is in
-- the vaults of the contacts.

CREATE TABLE recoveries (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    user_id uuid NOT NULL,
    contacts uuid[] NOT NULL CHECK (cardinality(contacts) BETWEEN 0 AND 15),
    threshold smallint NOT NULL CHECK (threshold BETWEEN 0 AND 15),
    wait_ms bigint NOT NULL CHECK (wait_ms >= 0),
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, user_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
ALTER TABLE recoveries ENABLE ROW LEVEL SECURITY;
ALTER TABLE recoveries FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON recoveries USING (tenant_id = (SELECT holdfast_tenant()));
GRANT SELECT, INSERT, UPDATE (contacts, threshold, wait_ms, updated_at) ON recoveries TO holdfast_app;

CREATE TABLE recovery_requests (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    request bytea NOT NULL CHECK (octet_length(request) BETWEEN 1 AND 256),
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE UNIQUE INDEX recovery_requests_open ON recovery_requests (tenant_id, user_id) WHERE ended_at IS NULL;
ALTER TABLE recovery_requests ENABLE ROW LEVEL SECURITY;
ALTER TABLE recovery_requests FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON recovery_requests USING (tenant_id = (SELECT holdfast_tenant()));
GRANT SELECT, INSERT, UPDATE (ended_at) ON recovery_requests TO holdfast_app;

CREATE TABLE recovery_releases (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    request_id uuid NOT NULL,
    contact_id uuid NOT NULL,
    sealed bytea NOT NULL CHECK (octet_length(sealed) BETWEEN 1 AND 4096),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, request_id, contact_id),
    FOREIGN KEY (tenant_id, request_id) REFERENCES recovery_requests (tenant_id, id),
    FOREIGN KEY (tenant_id, contact_id) REFERENCES users (tenant_id, id)
);
ALTER TABLE recovery_releases ENABLE ROW LEVEL SECURITY;
ALTER TABLE recovery_releases FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON recovery_releases USING (tenant_id = (SELECT holdfast_tenant()));
GRANT SELECT, INSERT, UPDATE (sealed, created_at) ON recovery_releases TO holdfast_app;
