-- Keys that were revoked, or are over and were cleared away: a program that goes on with one is told of to the organisation whose it was.
-- Whatever deletes a key, a trigger notes it.

CREATE TABLE ended_api_keys (
    key_hash bytea PRIMARY KEY CHECK (octet_length(key_hash) = 32),
    tenant_id uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    -- In the order in which they were deleted.
    number bigint GENERATED ALWAYS AS IDENTITY
);
CREATE INDEX ended_api_keys_by_number ON ended_api_keys (tenant_id, number);
ALTER TABLE ended_api_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE ended_api_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON ended_api_keys USING (tenant_id = (SELECT holdfast_tenant()));
CREATE POLICY by_token ON ended_api_keys FOR SELECT USING (key_hash = (SELECT holdfast_token()));
GRANT SELECT, INSERT, DELETE ON ended_api_keys TO holdfast_app;

CREATE FUNCTION note_ended_key() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ended_api_keys (key_hash, tenant_id, name) VALUES (OLD.key_hash, OLD.tenant_id, OLD.name);
    RETURN NULL;
END
$$;
CREATE TRIGGER ended AFTER DELETE ON api_keys FOR EACH ROW EXECUTE FUNCTION note_ended_key();
