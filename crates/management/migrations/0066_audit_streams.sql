-- Audit events that go to a destination as they happen: through the same queue, in order, each at least once.

-- The last event that the destination has taken; none: it gets no audit events.
ALTER TABLE destinations ADD COLUMN streamed_to bigint CHECK (streamed_to >= 0);
ALTER TABLE destinations ADD CONSTRAINT destinations_stream_kind CHECK (streamed_to IS NULL OR kind IN ('webhook', 'syslog'));
GRANT UPDATE (streamed_to) ON destinations TO holdfast_app;

-- A delivery tells for a rule, or is the next piece of a stream. What is in a piece is read from the chain; how far it goes is
-- fixed with the first try, so that each try is the same.
ALTER TABLE deliveries ALTER COLUMN rule_id DROP NOT NULL;
ALTER TABLE deliveries ALTER COLUMN notice DROP NOT NULL;
ALTER TABLE deliveries ADD COLUMN up_to bigint;
ALTER TABLE deliveries ADD CONSTRAINT deliveries_one_purpose CHECK (
    (rule_id IS NULL) = (notice IS NULL) AND (rule_id IS NOT NULL OR destination_id IS NOT NULL));
GRANT UPDATE (up_to) ON deliveries TO holdfast_app;
-- One piece at a time: so they come in order. One that was given up stands in the way of what comes after it.
CREATE UNIQUE INDEX deliveries_of_stream ON deliveries (tenant_id, destination_id) WHERE rule_id IS NULL;
