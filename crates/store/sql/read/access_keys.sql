SELECT key_id, name, hash, scopes, resellers, create_time, expire_time, last_use_time, revoke_time
FROM access_keys
ORDER BY create_time, key_id
