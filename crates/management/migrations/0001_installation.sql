-- What is known before any organisation exists: one row.

CREATE TABLE installation (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    setup_token_hash bytea CHECK (octet_length(setup_token_hash) = 32),
    set_up_at timestamptz
);
INSERT INTO installation DEFAULT VALUES;

GRANT SELECT, UPDATE (setup_token_hash, set_up_at) ON installation TO holdfast_app;

-- The tenant that the running transaction speaks for; null when none is set, so that policies then match nothing.
CREATE FUNCTION holdfast_tenant() RETURNS uuid
LANGUAGE sql STABLE
RETURN nullif(current_setting('holdfast.tenant', true), '')::uuid;

-- The hash of the token that the caller presented, for finding its tenant; only while no tenant is set.
CREATE FUNCTION holdfast_token() RETURNS bytea
LANGUAGE sql STABLE
RETURN CASE WHEN holdfast_tenant() IS NULL
    THEN decode(nullif(current_setting('holdfast.token', true), ''), 'hex') END;

-- The address that asks to sign in, for finding its tenants; only while no tenant is set.
CREATE FUNCTION holdfast_email() RETURNS text
LANGUAGE sql STABLE
RETURN CASE WHEN holdfast_tenant() IS NULL
    THEN nullif(current_setting('holdfast.email', true), '') END;
