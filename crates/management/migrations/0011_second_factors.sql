-- What people show besides their mailbox. The authenticator's secret is sealed under a key that is not in the database; of
-- backup codes only a keyed hash is kept.

CREATE TABLE authenticators (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    user_id uuid NOT NULL,
    sealed_secret bytea NOT NULL,
    created_at timestamptz NOT NULL,
    -- Null until its first code was right: until then it counts for nothing.
    confirmed_at timestamptz,
    -- The time step of the last code that was taken; that one and earlier ones are refused (RFC 6238, section 5.2).
    last_step bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, user_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
ALTER TABLE authenticators ENABLE ROW LEVEL SECURITY;
ALTER TABLE authenticators FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON authenticators USING (tenant_id = (SELECT holdfast_tenant()));
GRANT SELECT, INSERT, DELETE, UPDATE (sealed_secret, created_at, confirmed_at, last_step) ON authenticators TO holdfast_app;

CREATE TABLE backup_codes (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    user_id uuid NOT NULL,
    code_hash bytea NOT NULL CHECK (octet_length(code_hash) = 32),
    PRIMARY KEY (tenant_id, user_id, code_hash),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
ALTER TABLE backup_codes ENABLE ROW LEVEL SECURITY;
ALTER TABLE backup_codes FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON backup_codes USING (tenant_id = (SELECT holdfast_tenant()));
GRANT SELECT, INSERT, DELETE ON backup_codes TO holdfast_app;

-- Wrong codes in a row, counted before they are looked at.
CREATE TABLE factor_attempts (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    user_id uuid NOT NULL,
    failures integer NOT NULL,
    next_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, user_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
ALTER TABLE factor_attempts ENABLE ROW LEVEL SECURITY;
ALTER TABLE factor_attempts FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON factor_attempts USING (tenant_id = (SELECT holdfast_tenant()));
GRANT SELECT, INSERT, DELETE, UPDATE (failures, next_at) ON factor_attempts TO holdfast_app;

-- Whether everybody in the organisation needs a second factor.
ALTER TABLE tenants ADD COLUMN second_factor_required boolean NOT NULL DEFAULT false;
GRANT UPDATE (second_factor_required) ON tenants TO holdfast_app;
