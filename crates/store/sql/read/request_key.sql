-- $1 reseller, $2 request_id
SELECT message_id, content_hash FROM request_keys WHERE reseller = $1 AND request_id = $2
