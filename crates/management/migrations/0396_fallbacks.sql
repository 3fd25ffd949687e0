-- The models that a tenant's agents go on to where the first cannot answer, in their order, in JSON: [{"kind", "base_url", "name"}, ...]. Their
-- keys are in the cell's vault, as the first one's.
ALTER TABLE api_tenants ADD COLUMN fallbacks text NOT NULL DEFAULT '[]' CHECK (octet_length(fallbacks) <= 262144);
ALTER TABLE api_agents ADD COLUMN fallbacks text NOT NULL DEFAULT '[]' CHECK (octet_length(fallbacks) <= 262144);
GRANT UPDATE (fallbacks) ON api_tenants TO holdfast_app;
GRANT UPDATE (fallbacks) ON api_agents TO holdfast_app;
