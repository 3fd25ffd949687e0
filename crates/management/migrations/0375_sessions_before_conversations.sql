-- A session has its conversation's id before the keeper is told to make it. Until it is made, `gone_at` says when it goes that was cut off.
ALTER TABLE api_sessions ADD COLUMN made boolean NOT NULL DEFAULT true;
GRANT UPDATE (conversation, gone_at, made) ON api_sessions TO holdfast_app;
