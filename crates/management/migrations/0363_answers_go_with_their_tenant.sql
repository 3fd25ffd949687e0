-- Answers that are kept for writes of the tenant API: one that the operator was given about a tenant goes with it, and all are forgotten
-- after a day, also where nobody writes any more.

-- The tenant that a write of the operator's was about. What is left of it once that is removed: that it was done (status 410).
ALTER TABLE api_writes ADD COLUMN about uuid;
CREATE INDEX api_writes_about ON api_writes (about) WHERE about IS NOT NULL;
CREATE INDEX api_writes_begun ON api_writes (begun_at);
GRANT UPDATE (about) ON api_writes TO holdfast_app;

-- For forgetting them, of every tenant: only while no tenant is set, and only where it is asked for.
CREATE FUNCTION holdfast_due_api_writes() RETURNS boolean
LANGUAGE sql STABLE
RETURN holdfast_tenant() IS NULL AND coalesce(current_setting('holdfast.api_writes', true), '') = 'due';
CREATE POLICY due ON api_writes FOR SELECT USING ((SELECT holdfast_due_api_writes()));
CREATE POLICY forgotten ON api_writes FOR DELETE USING ((SELECT holdfast_due_api_writes()));
