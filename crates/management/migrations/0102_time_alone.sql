-- For how long at most people of the organisation may let their agents work while nobody is there.

ALTER TABLE tenants ADD COLUMN time_alone_hours smallint NOT NULL DEFAULT 24 CHECK (time_alone_hours BETWEEN 1 AND 168);
GRANT UPDATE (time_alone_hours) ON tenants TO holdfast_app;
