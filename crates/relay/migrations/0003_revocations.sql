-- What issuers have revoked: their signed epochs as they came, and each revoked capability once.

CREATE TABLE epochs (
    issuer bigint NOT NULL REFERENCES mailboxes,
    number bigint NOT NULL CHECK (number > 0),
    at     bigint NOT NULL,
    hash   bytea  NOT NULL CHECK (octet_length(hash) = 32),
    epoch  bytea  NOT NULL,
    PRIMARY KEY (issuer, number)
);

CREATE TABLE revoked (
    issuer     bigint NOT NULL REFERENCES mailboxes,
    capability uuid   NOT NULL,
    number     bigint NOT NULL,
    PRIMARY KEY (issuer, capability)
);

-- Nothing here is ever changed or deleted: a revocation is for ever.
GRANT SELECT, INSERT ON epochs, revoked TO holdfast_relay;
