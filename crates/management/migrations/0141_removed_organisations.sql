-- The operator removes a suspended organisation, with every row of it, its audit log included. The application's role may do that in no
-- other way: it deletes no event by itself, and what is removed is asked for by an operator who is signed in.

CREATE FUNCTION remove_organisation(gone uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    remaining text[];
    blocked text[];
    one text;
BEGIN
    IF NOT holdfast_operator() THEN
        RAISE EXCEPTION 'only the operator removes an organisation' USING ERRCODE = '42501';
    END IF;
    PERFORM set_config('holdfast.tenant', gone::text, true);
    -- Suspended, nobody joins it: the lock makes who lets it back in wait, and find nothing.
    PERFORM FROM tenants WHERE id = gone AND suspended_at IS NOT NULL FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'only an organisation that is suspended is removed' USING ERRCODE = 'HF002';
    END IF;
    UPDATE installation SET set_up_for = NULL WHERE set_up_for = gone;
    -- Every table that has rows of organisations, those that are yet to be made included; first those that others do not refer to.
    SELECT array_agg(c.oid::regclass::text) INTO remaining
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE a.attname = 'tenant_id' AND NOT a.attisdropped AND c.relkind = 'r'
            AND c.relnamespace = (SELECT t.relnamespace FROM pg_class t WHERE t.oid = 'tenants'::regclass);
    WHILE remaining IS NOT NULL LOOP
        blocked := NULL;
        FOREACH one IN ARRAY remaining LOOP
            BEGIN
                EXECUTE format('DELETE FROM %s WHERE tenant_id = $1', one) USING gone;
            EXCEPTION WHEN foreign_key_violation THEN
                blocked := blocked || one;
            END;
        END LOOP;
        IF cardinality(blocked) = cardinality(remaining) THEN
            RAISE EXCEPTION 'rows of the organisation refer to each other: %', blocked;
        END IF;
        remaining := blocked;
    END LOOP;
    DELETE FROM tenants WHERE id = gone;
END
$$;
REVOKE ALL ON FUNCTION remove_organisation(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION remove_organisation(uuid) TO holdfast_app;
