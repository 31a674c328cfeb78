-- $1 key_id, $2 now
UPDATE access_keys SET revoke_time = coalesce(revoke_time, $2) WHERE key_id = $1
