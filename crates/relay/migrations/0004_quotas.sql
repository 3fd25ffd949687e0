-- What one mailbox may publish, counted where its epochs are written; and when somebody was last connected to it.

ALTER TABLE mailboxes
    -- When it may publish as many again as it may at once, in milliseconds since the Unix epoch.
    ADD COLUMN epochs_until bigint NOT NULL DEFAULT 0,
    ADD COLUMN epoch_bytes  bigint NOT NULL DEFAULT 0,
    ADD COLUMN seen         date   NOT NULL DEFAULT current_date;

UPDATE mailboxes SET epoch_bytes = kept.bytes
    FROM (SELECT issuer, sum(octet_length(epoch)) AS bytes FROM epochs GROUP BY issuer) AS kept WHERE id = kept.issuer;

-- A mailbox that has published cannot be deleted: its epochs refer to it, and stay.
GRANT UPDATE (epochs_until, epoch_bytes, seen), DELETE ON mailboxes TO holdfast_relay;
