-- The first of a lane's queue, of one priority, in the order in which they go.
-- $1 reseller, $2 priority, $3 due until, $4 limit
SELECT due_time, message_id
FROM messages
WHERE reseller = $1 AND state IN ('accepted', 'scheduled', 'deferred') AND priority = $2 AND due_time <= $3
ORDER BY due_time, message_id
LIMIT $4
