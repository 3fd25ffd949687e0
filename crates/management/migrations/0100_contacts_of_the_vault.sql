-- Contacts of a recovery are named by their owner's vault, which signs them with the moment at which they were chosen: of two lists the
-- later one counts. Lists of before are replaced by the first that is signed.

ALTER TABLE recoveries ADD COLUMN made bigint NOT NULL DEFAULT 0 CHECK (made >= 0);
GRANT UPDATE (made) ON recoveries TO holdfast_app;
