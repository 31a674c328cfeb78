-- Their content went with the settings.
-- $1 reseller
UPDATE messages SET has_content = FALSE, purge_time = NULL
WHERE reseller IN (/*each*/$1/*each*/) AND has_content
