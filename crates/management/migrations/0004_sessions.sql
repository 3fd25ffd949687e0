-- Who is signed in. Only the SHA-256 of the cookie's token is kept.

CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    user_id uuid NOT NULL,
    token_hash bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    created_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX sessions_by_user ON sessions (tenant_id, user_id);
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE sessions FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON sessions USING (tenant_id = (SELECT holdfast_tenant()));
CREATE POLICY by_token ON sessions FOR SELECT USING (token_hash = (SELECT holdfast_token()));
GRANT SELECT, INSERT, DELETE, UPDATE (last_seen_at) ON sessions TO holdfast_app;

-- Finds who a session belongs to, in one round trip: first by the token's hash alone, then inside that tenant.
-- Runs with the caller's rights, under the policies above. The last activity is written at most once in `touch_after`.
CREATE FUNCTION authenticate(presented bytea, at timestamptz, idle interval, touch_after interval)
RETURNS TABLE (
    session_id uuid, tenant_id uuid, tenant_name text, user_id uuid, user_name text, email text, role text, cell_id uuid
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    found_session sessions%ROWTYPE;
BEGIN
    PERFORM set_config('holdfast.tenant', '', true), set_config('holdfast.token', encode(presented, 'hex'), true);
    SELECT * INTO found_session FROM sessions s
        WHERE s.token_hash = presented AND s.expires_at > at AND s.last_seen_at > at - idle;
    PERFORM set_config('holdfast.token', '', true);
    IF found_session.id IS NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('holdfast.tenant', found_session.tenant_id::text, true);
    IF found_session.last_seen_at < at - touch_after THEN
        UPDATE sessions s SET last_seen_at = at WHERE s.id = found_session.id AND s.last_seen_at < at;
    END IF;
    RETURN QUERY
        SELECT found_session.id, t.id, t.name, u.id, u.name, u.email, u.role, c.id
        FROM users u
        JOIN tenants t ON t.id = u.tenant_id
        JOIN cells c ON c.tenant_id = u.tenant_id AND c.user_id = u.id
        WHERE u.tenant_id = found_session.tenant_id AND u.id = found_session.user_id AND u.deactivated_at IS NULL;
END
$$;
