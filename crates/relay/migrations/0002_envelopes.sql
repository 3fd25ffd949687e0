-- What waits for its receiver. Rows are short-lived: written in groups, deleted in groups.

CREATE TABLE envelopes (
    mailbox  bigint NOT NULL,
    -- Rises with every delivery of this relay; the order within a mailbox.
    number   bigint NOT NULL,
    sender   bigint NOT NULL,
    id       uuid   NOT NULL,
    -- When it was taken, in milliseconds since the Unix epoch.
    at       bigint NOT NULL,
    -- Ciphertext; none where an envelope of the mailbox's own comes back.
    sealed   bytea,
    -- Of what comes back: whom it was for.
    returned bytea CHECK (octet_length(returned) = 32),
    PRIMARY KEY (mailbox, number),
    CHECK ((sealed IS NULL) <> (returned IS NULL))
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0);

-- Ciphertext does not compress.
ALTER TABLE envelopes ALTER COLUMN sealed SET STORAGE EXTERNAL;

-- Rows come in the order of time, so this costs next to nothing to keep.
CREATE INDEX envelopes_at ON envelopes USING brin (at);

GRANT SELECT, INSERT, DELETE ON envelopes TO holdfast_relay;
