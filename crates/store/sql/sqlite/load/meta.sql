-- $1 name
SELECT name, value FROM meta WHERE name IN (/*each*/$1/*each*/)
