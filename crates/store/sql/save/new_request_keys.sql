INSERT INTO request_keys (reseller, request_id, message_id, content_hash, create_time)
VALUES /*each*/($1, $2, $3, $4, $5)/*each*/
