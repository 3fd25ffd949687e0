-- Sessions of responses that nobody named: where an agent has too many, they go, the one that was used longest ago first. Those
-- that there are stay, since somebody may have named them.
ALTER TABLE api_sessions ADD COLUMN unnamed boolean NOT NULL DEFAULT false;
GRANT UPDATE (unnamed) ON api_sessions TO holdfast_app;
