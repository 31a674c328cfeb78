-- In the order of the lane: each priority by its due times, so that what is scheduled later costs nothing. Nothing while
-- the lane waits.
-- $1 reseller, $2 now, $3 limit
SELECT message_id, priority, attempts, backoffs, in_doubt, policy, expire_time FROM (
    SELECT * FROM (
        SELECT message_id, priority, due_time, attempts, backoffs, in_doubt, policy, expire_time
        FROM messages INDEXED BY messages_waiting
        WHERE reseller = $1 AND state IN ('accepted', 'scheduled', 'deferred') AND priority = 0 AND due_time <= $2
        ORDER BY due_time, message_id
        LIMIT $3
    )
    UNION ALL
    SELECT * FROM (
        SELECT message_id, priority, due_time, attempts, backoffs, in_doubt, policy, expire_time
        FROM messages INDEXED BY messages_waiting
        WHERE reseller = $1 AND state IN ('accepted', 'scheduled', 'deferred') AND priority = 1 AND due_time <= $2
        ORDER BY due_time, message_id
        LIMIT $3
    )
    UNION ALL
    SELECT * FROM (
        SELECT message_id, priority, due_time, attempts, backoffs, in_doubt, policy, expire_time
        FROM messages INDEXED BY messages_waiting
        WHERE reseller = $1 AND state IN ('accepted', 'scheduled', 'deferred') AND priority = 2 AND due_time <= $2
        ORDER BY due_time, message_id
        LIMIT $3
    )
)
WHERE NOT EXISTS (SELECT 1 FROM lanes WHERE reseller = $1 AND wait_until > $2)
ORDER BY priority, due_time, message_id
LIMIT $3
