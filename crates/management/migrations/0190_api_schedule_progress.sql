-- How far the run that is under way has come, so that whoever goes on with it does nothing twice: it was counted among its tenant's
-- requests, and its turn was begun. Of a job that has no run under way, they say nothing.
ALTER TABLE api_schedules
    ADD COLUMN is_counted boolean NOT NULL DEFAULT false,
    ADD COLUMN has_turn boolean NOT NULL DEFAULT false;
GRANT UPDATE (is_counted, has_turn) ON api_schedules TO holdfast_app;
