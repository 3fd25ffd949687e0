-- Who runs the machine: signed in with the token in the data directory, seeing who and how much, and nobody's content.

-- Only the SHA-256 of the cookie's token is kept.
CREATE TABLE operator_sessions (
    id uuid PRIMARY KEY,
    token_hash bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    -- SHA-256 of the operator's token that was shown for it: when another one takes that one's place, this is over.
    shown_hash bytea NOT NULL CHECK (octet_length(shown_hash) = 32),
    created_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    proved_at timestamptz NOT NULL
);
GRANT SELECT, INSERT, DELETE, UPDATE (last_seen_at, proved_at) ON operator_sessions TO holdfast_app;

-- What the operator did: a chain of its own, as each organisation has one. The application's role adds to it and changes nothing.
CREATE TABLE operator_events (
    seq bigint PRIMARY KEY CHECK (seq > 0),
    body text NOT NULL,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    action text NOT NULL GENERATED ALWAYS AS (body::jsonb ->> 'action') STORED
);
GRANT SELECT, INSERT (seq, body, hash) ON operator_events TO holdfast_app;

CREATE TABLE operator_head (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    seq bigint NOT NULL,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32)
);
INSERT INTO operator_head (seq, hash) VALUES (0, decode(repeat('00', 32), 'hex'));
GRANT SELECT, UPDATE (seq, hash) ON operator_head TO holdfast_app;

-- Whether the running transaction speaks for an operator who is signed in; never while it speaks for a tenant.
CREATE FUNCTION holdfast_operator() RETURNS boolean
LANGUAGE sql STABLE
RETURN holdfast_tenant() IS NULL AND EXISTS (SELECT FROM operator_sessions s
    WHERE s.token_hash = decode(nullif(current_setting('holdfast.operator', true), ''), 'hex'));

-- Which organisations there are. All else of them is read by speaking for one after the other.
CREATE POLICY operator ON tenants FOR SELECT USING ((SELECT holdfast_operator()));
