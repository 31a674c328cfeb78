-- $1 key_id, $2 now, to the minute
UPDATE access_keys SET last_use_time = $2 WHERE key_id = $1 AND coalesce(last_use_time, 0) < $2
