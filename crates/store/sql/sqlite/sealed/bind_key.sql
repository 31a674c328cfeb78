-- The first local key that seals here is remembered by its id.
-- $1 the key's id
INSERT INTO meta (name, value) VALUES ('local_key', $1) ON CONFLICT DO NOTHING;
SELECT value = $1 AS is_bound FROM meta WHERE name = 'local_key'
