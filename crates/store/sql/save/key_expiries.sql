-- $1 reseller, $2 request_id, $3 expire_time
WITH given (reseller, request_id, expire_time) AS (VALUES /*each*/($1, $2, $3)/*each*/)
UPDATE request_keys AS k SET expire_time = given.expire_time
FROM given
WHERE k.reseller = given.reseller AND k.request_id = given.request_id
