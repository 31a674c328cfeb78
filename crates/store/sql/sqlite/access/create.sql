-- $1 key_id, $2 name, $3 hash, $4 scopes, $5 resellers, $6 create_time, $7 expire_time, $8 last_use_time,
-- $9 revoke_time
INSERT INTO access_keys (key_id, name, hash, scopes, resellers, create_time, expire_time, last_use_time, revoke_time)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
