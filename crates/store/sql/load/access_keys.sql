-- $1 key_id
SELECT key_id, name, hash, scopes, resellers, create_time, expire_time, last_use_time, revoke_time
FROM access_keys
WHERE key_id IN (/*each*/$1/*each*/)
