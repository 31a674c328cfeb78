-- Unless a retry took the end back meanwhile.
-- $1 reseller, $2 request_id, $3 expire_time as it was read
DELETE FROM request_keys WHERE (reseller, request_id, expire_time) IN (VALUES /*each*/($1, $2, $3)/*each*/)
