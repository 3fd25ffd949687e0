-- Whether people of the organisation are told that something waits for their locked vault, or find it when they unlock.

ALTER TABLE tenants ADD COLUMN told_of_requests boolean NOT NULL DEFAULT true;
GRANT UPDATE (told_of_requests) ON tenants TO holdfast_app;
