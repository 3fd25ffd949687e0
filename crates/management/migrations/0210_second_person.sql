-- Whether what an agent wants to change needs a second person beside its own.

ALTER TABLE tenants ADD COLUMN second_person boolean NOT NULL DEFAULT false;
GRANT UPDATE (second_person) ON tenants TO holdfast_app;
