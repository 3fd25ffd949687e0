-- Joining without an invitation: domains whose addresses may, links that show that an address is somebody's, and those who wait.

CREATE TABLE join_domains (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    domain text NOT NULL CHECK (char_length(domain) BETWEEN 3 AND 253 AND domain = lower(domain)),
    -- Whether somebody who manages the organisation has to agree.
    approval boolean NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (tenant_id, domain)
);
CREATE INDEX join_domains_by_domain ON join_domains (domain);
ALTER TABLE join_domains ENABLE ROW LEVEL SECURITY;
ALTER TABLE join_domains FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON join_domains USING (tenant_id = (SELECT holdfast_tenant()));
CREATE POLICY by_email ON join_domains FOR SELECT USING (domain = split_part((SELECT holdfast_email()), '@', 2));
GRANT SELECT, INSERT, DELETE, UPDATE (approval) ON join_domains TO holdfast_app;

CREATE TABLE join_links (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    email text NOT NULL CHECK (char_length(email) BETWEEN 3 AND 254 AND email = lower(email)),
    browser_hash bytea NOT NULL CHECK (octet_length(browser_hash) = 32),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX join_links_by_end ON join_links (tenant_id, expires_at);
ALTER TABLE join_links ENABLE ROW LEVEL SECURITY;
ALTER TABLE join_links FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON join_links USING (tenant_id = (SELECT holdfast_tenant()));
CREATE POLICY by_token ON join_links FOR SELECT USING (token_hash = (SELECT holdfast_token()));
GRANT SELECT, INSERT, DELETE ON join_links TO holdfast_app;

-- Who waits is nobody yet: no user, no session, no cell.
CREATE TABLE join_requests (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    email text NOT NULL CHECK (char_length(email) BETWEEN 3 AND 254 AND email = lower(email)),
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    -- The account at another site with which they asked, which is theirs once they are in.
    issuer text,
    subject text CHECK (char_length(subject) BETWEEN 1 AND 255),
    created_at timestamptz NOT NULL,
    -- Kept for a while, so that asking again does not trouble anybody.
    refused_at timestamptz,
    CHECK ((issuer IS NULL) = (subject IS NULL)),
    UNIQUE (tenant_id, email)
);
ALTER TABLE join_requests ENABLE ROW LEVEL SECURITY;
ALTER TABLE join_requests FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON join_requests USING (tenant_id = (SELECT holdfast_tenant()));
GRANT SELECT, INSERT, DELETE, UPDATE (refused_at) ON join_requests TO holdfast_app;

ALTER TABLE sessions DROP CONSTRAINT sessions_method_check;
ALTER TABLE sessions ADD CONSTRAINT sessions_method_check
    CHECK (method IN ('setup', 'link', 'invitation', 'passkey', 'oidc', 'joined'));
