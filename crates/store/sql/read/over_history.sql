-- $1 ended until, $2 limit
SELECT reseller, message_id FROM messages WHERE end_time <= $1 ORDER BY end_time LIMIT $2
