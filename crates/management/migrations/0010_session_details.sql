-- What a session may do, how it was begun, where it is used; and word to whoever holds something open for it when it ends.

ALTER TABLE sessions
    -- factor: a second factor is still to be shown; enrol: one is still to be set up; full: signed in.
    ADD COLUMN state text NOT NULL DEFAULT 'full' CHECK (state IN ('factor', 'enrol', 'full')),
    ADD COLUMN method text NOT NULL DEFAULT 'link' CHECK (method IN ('setup', 'link', 'invitation', 'passkey', 'oidc')),
    -- Whether more than possession of a mailbox was shown.
    ADD COLUMN second_factor boolean NOT NULL DEFAULT false,
    -- When its holder last showed who they are.
    ADD COLUMN proved_at timestamptz NOT NULL DEFAULT 'epoch',
    ADD COLUMN device text NOT NULL DEFAULT '' CHECK (char_length(device) <= 100),
    ADD COLUMN address text NOT NULL DEFAULT '' CHECK (char_length(address) <= 45);
GRANT UPDATE (state, second_factor, proved_at, address) ON sessions TO holdfast_app;

-- Whatever ends a session, or takes back that it is whole, tells who listens, when it is committed.
CREATE FUNCTION session_ended() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('holdfast_session_ended', OLD.id::text);
    RETURN NULL;
END
$$;
CREATE TRIGGER ended AFTER DELETE ON sessions FOR EACH ROW EXECUTE FUNCTION session_ended();
CREATE TRIGGER lowered AFTER UPDATE OF state ON sessions FOR EACH ROW
    WHEN (OLD.state = 'full' AND NEW.state <> 'full') EXECUTE FUNCTION session_ended();

DROP FUNCTION authenticate(bytea, timestamptz, interval, interval);

-- Finds who a session belongs to, in one round trip: first by the token's hash alone, then inside that tenant.
-- Runs with the caller's rights, under the policies. The last activity is written at most once in `touch_after`.
CREATE FUNCTION authenticate(presented bytea, at timestamptz, idle interval, touch_after interval, used_from text)
RETURNS TABLE (
    session_id uuid, tenant_id uuid, tenant_name text, user_id uuid, user_name text, email text, role text, cell_id uuid,
    state text, proved_at timestamptz
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
    IF found_session.last_seen_at < at - touch_after OR (found_session.address <> used_from AND used_from <> '') THEN
        UPDATE sessions s SET last_seen_at = greatest(s.last_seen_at, at),
                address = CASE WHEN used_from = '' THEN s.address ELSE used_from END
            WHERE s.id = found_session.id;
    END IF;
    RETURN QUERY
        SELECT found_session.id, t.id, t.name, u.id, u.name, u.email, u.role, c.id, found_session.state,
            found_session.proved_at
        FROM users u
        JOIN tenants t ON t.id = u.tenant_id
        JOIN cells c ON c.tenant_id = u.tenant_id AND c.user_id = u.id
        WHERE u.tenant_id = found_session.tenant_id AND u.id = found_session.user_id AND u.deactivated_at IS NULL;
END
$$;

-- A link works in the browser that asked for it: the hash of what that browser keeps in a cookie.
ALTER TABLE sign_in_links ADD COLUMN browser_hash bytea CHECK (octet_length(browser_hash) = 32);
