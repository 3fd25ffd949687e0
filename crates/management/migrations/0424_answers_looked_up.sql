-- An answer to a request of an agent's is written down once: looked up by the request.
CREATE INDEX operator_events_answered ON operator_events ((body::jsonb #>> '{target,id}')) WHERE action = 'api_tenant.approval_answered';
