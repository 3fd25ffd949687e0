-- Audit events are written down in the transaction that they tell of, and chained together with others that were written meanwhile:
-- an act of a tenant does not wait for the end of the chain while another act has it. The chain is computed here, so the application's
-- role adds to it in no other way.

CREATE TABLE audit_waiting (
    id bigint GENERATED ALWAYS AS IDENTITY,
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    -- The event's text without its number: what comes before it, and what comes after it.
    start text NOT NULL,
    rest text NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
ALTER TABLE audit_waiting ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_waiting FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON audit_waiting USING (tenant_id = (SELECT holdfast_tenant()));
-- For finding those of every tenant that nobody chained (a server that was killed): only while no tenant is set, and only where it is
-- asked for.
CREATE POLICY due ON audit_waiting FOR SELECT
    USING ((SELECT holdfast_tenant() IS NULL AND current_setting('holdfast.audit_waiting', true) = 'due'));
GRANT SELECT, INSERT (tenant_id, start, rest) ON audit_waiting TO holdfast_app;

REVOKE INSERT (tenant_id, seq, body, hash) ON audit_events FROM holdfast_app;
REVOKE INSERT, UPDATE (seq, hash) ON audit_heads FROM holdfast_app;

-- The end of the chain of the tenant that the transaction speaks for, locked until it ends. Before the first event: number 0, zeros.
CREATE FUNCTION lock_audit_head(OUT seq bigint, OUT hash bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    tenant CONSTANT uuid := holdfast_tenant();
BEGIN
    SELECT h.seq, h.hash INTO seq, hash FROM audit_heads h WHERE h.tenant_id = tenant FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO audit_heads (tenant_id, seq, hash) VALUES (tenant, 0, decode(repeat('00', 32), 'hex'))
            ON CONFLICT DO NOTHING;
        SELECT h.seq, h.hash INTO STRICT seq, hash FROM audit_heads h WHERE h.tenant_id = tenant FOR UPDATE;
    END IF;
END
$$;
REVOKE ALL ON FUNCTION lock_audit_head() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lock_audit_head() TO holdfast_app;

-- Adds what waits of the tenant to its chain, oldest first and so many at most, and has it sent wherever the log goes as it happens.
-- hash = SHA-256("holdfast/audit/v1" || 0x00 || hash before || body), as in audit/chain.rs.
CREATE FUNCTION chain_audit_waiting(most integer, at timestamptz)
RETURNS TABLE (seq bigint, body text, hash bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    tenant CONSTANT uuid := holdfast_tenant();
    waiting record;
    chained bigint[] := '{}';
BEGIN
    SELECT head.seq, head.hash INTO seq, hash FROM lock_audit_head() head;
    FOR waiting IN
        SELECT w.id, w.start, w.rest FROM audit_waiting w WHERE w.tenant_id = tenant ORDER BY w.id LIMIT most
    LOOP
        seq := seq + 1;
        body := waiting.start || seq || waiting.rest;
        hash := sha256('holdfast/audit/v1\000'::bytea || hash || convert_to(body, 'UTF8'));
        INSERT INTO audit_events (tenant_id, seq, body, hash) VALUES (tenant, seq, body, hash);
        chained := chained || waiting.id;
        RETURN NEXT;
    END LOOP;
    IF cardinality(chained) = 0 THEN
        RETURN;
    END IF;
    -- These and no others: one with a lower number may have been committed meanwhile.
    DELETE FROM audit_waiting w WHERE w.tenant_id = tenant AND w.id = ANY (chained);
    UPDATE audit_heads h SET seq = chain_audit_waiting.seq, hash = chain_audit_waiting.hash WHERE h.tenant_id = tenant;
    INSERT INTO deliveries (id, tenant_id, destination_id, created_at, due_at)
        SELECT gen_random_uuid(), d.tenant_id, d.id, at, at FROM destinations d
        WHERE d.tenant_id = tenant AND d.streamed_to IS NOT NULL
        ON CONFLICT (tenant_id, destination_id) WHERE rule_id IS NULL DO NOTHING;
END
$$;
REVOKE ALL ON FUNCTION chain_audit_waiting(integer, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION chain_audit_waiting(integer, timestamptz) TO holdfast_app;
