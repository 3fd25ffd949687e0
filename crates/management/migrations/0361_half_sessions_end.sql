-- A sign-in that is not finished lasts a quarter of an hour. Sessions that were lowered to one by versions before kept their days: they end.
ALTER TABLE sessions NO FORCE ROW LEVEL SECURITY;
DELETE FROM sessions WHERE state <> 'full' AND expires_at > created_at + interval '15 minutes';
ALTER TABLE sessions FORCE ROW LEVEL SECURITY;
