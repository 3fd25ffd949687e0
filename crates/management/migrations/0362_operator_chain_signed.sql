-- The operator's chain is signed on its way, as that of each organisation is.

CREATE TABLE operator_checkpoints (
    seq bigint PRIMARY KEY REFERENCES operator_events (seq),
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    at bigint NOT NULL,
    signature bytea NOT NULL CHECK (octet_length(signature) = 64)
);
GRANT SELECT, INSERT ON operator_checkpoints TO holdfast_app;

-- Events up to this one were written before; what is signed says so. The application's role cannot change it.
ALTER TABLE operator_head ADD COLUMN unsigned bigint NOT NULL DEFAULT 0;
UPDATE operator_head SET unsigned = seq;
