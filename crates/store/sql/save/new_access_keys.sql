INSERT INTO access_keys (
    key_id, name, hash, scopes, resellers, create_time, expire_time, last_use_time, revoke_time
)
VALUES /*each*/(
    $1, $2, $3, $4, $5, $6, $7, $8, $9
)/*each*/
