-- Whether a request for recovery ended because its owner stopped it: their vault tells the contacts' keepers when it is open next.

ALTER TABLE recovery_requests ADD COLUMN stopped boolean NOT NULL DEFAULT false;
GRANT UPDATE (stopped) ON recovery_requests TO holdfast_app;
