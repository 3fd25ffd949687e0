-- Suspended people keep their row and their cell and lose everything that lets them in; removed ones keep only the row, which
-- the audit log and invitations point to, and their address is free again.

ALTER TABLE users ADD COLUMN removed_at timestamptz CHECK (removed_at IS NULL OR deactivated_at IS NOT NULL);
GRANT UPDATE (email, deactivated_at, removed_at) ON users TO holdfast_app;
