-- $1 now, $2 limit
SELECT reseller, message_id FROM messages WHERE purge_time <= $1 ORDER BY purge_time LIMIT $2
