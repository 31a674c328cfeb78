-- $1 reseller, $2 request_id
WITH wanted (reseller, request_id) AS (VALUES /*each*/($1, $2)/*each*/)
SELECT k.reseller, k.request_id, k.message_id, k.content_hash, k.create_time
FROM wanted
JOIN request_keys AS k ON k.reseller = wanted.reseller AND k.request_id = wanted.request_id
