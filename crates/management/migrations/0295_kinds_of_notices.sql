-- Of which kinds it is what waits for somebody; and until when what they were last alarmed by (a pause, a lock) is told of, so that each
-- is one mail and one event.

ALTER TABLE approval_notices
    ADD COLUMN kinds text[] NOT NULL DEFAULT '{agent}',
    ADD COLUMN alarmed_until timestamptz;
GRANT UPDATE (kinds, alarmed_until) ON approval_notices TO holdfast_app;
