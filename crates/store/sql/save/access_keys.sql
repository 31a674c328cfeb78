-- $1 key_id, $2 last_use_time, $3 revoke_time
WITH given (key_id, last_use_time, revoke_time) AS (VALUES /*each*/($1, $2, $3)/*each*/)
UPDATE access_keys AS k SET last_use_time = given.last_use_time, revoke_time = given.revoke_time
FROM given
WHERE k.key_id = given.key_id
