-- Events up to this position are gone.
-- $1 position
INSERT INTO meta (name, value) VALUES ('events_purged', CAST($1 AS TEXT))
ON CONFLICT (name) DO UPDATE SET value = excluded.value
