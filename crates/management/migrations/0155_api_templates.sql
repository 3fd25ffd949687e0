-- Templates of the tenant API's agents: content that the operator chose, no secret, and of no tenant. Only who has the operator's token
-- comes to them: in a transaction that speaks for a tenant there are none.

CREATE TABLE api_templates (
    name text COLLATE "C" PRIMARY KEY CHECK (name ~ '^[a-z0-9-]{1,40}$'),
    -- As it goes to cells, in JSON: name, persona, skills, tools.
    content text NOT NULL CHECK (octet_length(content) <= 1048576),
    -- The model of tenants who name none, where they bring its key.
    model_kind text CHECK (model_kind IN ('openai', 'anthropic')),
    model_base_url text CHECK (octet_length(model_base_url) <= 2048),
    model_name text CHECK (octet_length(model_name) <= 2048),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK ((model_kind IS NULL) = (model_base_url IS NULL) AND (model_kind IS NULL) = (model_name IS NULL))
);
ALTER TABLE api_templates ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_templates FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_operator ON api_templates USING ((SELECT holdfast_all_api_tenants()));
GRANT SELECT, INSERT, DELETE, UPDATE (content, model_kind, model_base_url, model_name, updated_at) ON api_templates TO holdfast_app;

-- What the tenant's agent is, by name and version: of a template that may have been changed since, or removed.
ALTER TABLE api_tenants ADD COLUMN template text CHECK (char_length(template) BETWEEN 1 AND 40);
ALTER TABLE api_tenants ADD COLUMN template_version text CHECK (char_length(template_version) BETWEEN 1 AND 64);
ALTER TABLE api_tenants ADD CONSTRAINT api_tenants_template_whole CHECK ((template IS NULL) = (template_version IS NULL));
GRANT UPDATE (template, template_version) ON api_tenants TO holdfast_app;
