-- That somebody can read how often their services were called: until when that week is told of, and until when the last one is that they had a
-- mail of, so that each is one mail.

ALTER TABLE approval_notices
    ADD COLUMN week_until timestamptz,
    ADD COLUMN week_told timestamptz;
GRANT UPDATE (week_until, week_told) ON approval_notices TO holdfast_app;
