INSERT INTO contents (reseller, message_id, body)
VALUES /*each*/($1, $2, $3)/*each*/
