-- Locked: they are swapped only while they are as they were.
-- $1 name
SELECT name, value FROM meta WHERE name IN (/*each*/$1/*each*/)
ORDER BY name
FOR UPDATE
