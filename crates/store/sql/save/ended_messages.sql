-- $1 reseller, $2 message_id
DELETE FROM messages WHERE (reseller, message_id) IN (VALUES /*each*/($1, $2)/*each*/)
