-- $1 what was read, or null where there was none, $2 what takes its place
INSERT INTO meta (name, value) SELECT 'key_ring', $2
WHERE $1 IS (SELECT value FROM meta WHERE name = 'key_ring')
ON CONFLICT (name) DO UPDATE SET value = excluded.value
