-- Since when a group is not put away, where it once was, and since when a member has the role that they have, where it was changed: what was
-- shared before that ends with it.
ALTER TABLE groups ADD COLUMN taken_out_at timestamptz;
GRANT UPDATE (taken_out_at) ON groups TO holdfast_app;
ALTER TABLE group_members ADD COLUMN role_changed_at timestamptz;
GRANT UPDATE (role_changed_at) ON group_members TO holdfast_app;
