-- For finding sessions of single turns that a server which ended has left, of every tenant: only while no tenant is set, and only where it is
-- asked for.
CREATE FUNCTION holdfast_due_api_sessions() RETURNS boolean
LANGUAGE sql STABLE
RETURN holdfast_tenant() IS NULL AND coalesce(current_setting('holdfast.api_sessions', true), '') = 'due';
CREATE POLICY due ON api_sessions FOR SELECT USING ((SELECT holdfast_due_api_sessions()));
