-- A tenant's removal may break off after some of its cells are gone: what was removed with them is told at its end.
ALTER TABLE api_tenants ADD COLUMN removed_blobs bigint NOT NULL DEFAULT 0 CHECK (removed_blobs >= 0);
ALTER TABLE api_tenants ADD COLUMN removed_bytes bigint NOT NULL DEFAULT 0 CHECK (removed_bytes >= 0);
GRANT UPDATE (removed_blobs, removed_bytes) ON api_tenants TO holdfast_app;
