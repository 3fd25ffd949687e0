-- Who this relay is, and the mailboxes of identities that have shown their key. Everything lies in the schema `relay`, which the
-- connection's search path names.

CREATE TABLE relay (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    -- What keepers sign, so that a proof for one relay is worth nothing at another.
    id       bytea  NOT NULL CHECK (octet_length(id) = 32),
    -- Numbers of deliveries up to here may have been given out: none is given twice, whatever stops.
    reserved bigint NOT NULL DEFAULT 0
);

CREATE TABLE mailboxes (
    id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key   bytea  NOT NULL UNIQUE CHECK (octet_length(key) = 32),
    since timestamptz NOT NULL DEFAULT now()
);

GRANT SELECT, INSERT, UPDATE ON relay TO holdfast_relay;
GRANT SELECT, INSERT ON mailboxes TO holdfast_relay;
