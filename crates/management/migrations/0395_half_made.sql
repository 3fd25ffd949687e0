-- What a write of the tenant API is about to make, until its answer is kept with it: the cell of a tenant (`about`) or of one of its agents. A
-- server that ended between the two has left half of it, which goes before the write is done again.
ALTER TABLE api_writes ADD COLUMN making uuid;
GRANT UPDATE (making) ON api_writes TO holdfast_app;
