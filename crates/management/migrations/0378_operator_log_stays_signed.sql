-- A server of a version that signs nothing may still run beside newer ones. Where a signature over the operator's chain is due (each
-- AUDIT_CHECKPOINT events), an event without one is refused, and with it what it tells of: the chain waits for a server that signs.
CREATE FUNCTION refuse_unsigned_operator_event() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM operator_checkpoints c WHERE c.seq = NEW.seq) THEN
        RAISE EXCEPTION 'event % of the operator''s log needs a signature: stop the servers of older versions', NEW.seq;
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER signed_where_due AFTER INSERT ON operator_events DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.seq % 256 = 0) EXECUTE FUNCTION refuse_unsigned_operator_event();
