-- $1 now, $2 limit
SELECT reseller, request_id, expire_time FROM request_keys WHERE expire_time <= $1 ORDER BY expire_time LIMIT $2
