-- In the order of the lane: each priority by its due times, so that what is scheduled later costs nothing. Nothing while
-- the lane waits or is paused.
-- $1 reseller, $2 now, $3 limit of each priority, $4 of contents smaller than this
SELECT message_id, priority, attempts, backoffs, in_doubt, policy, due_time, expire_time, recipient_count,
    content_bytes
FROM (
    SELECT * FROM (
        SELECT message_id, priority, due_time, attempts, backoffs, in_doubt, policy, expire_time, recipient_count,
            content_bytes
        FROM messages
        WHERE reseller = $1 AND state IN ('accepted', 'scheduled', 'deferred') AND priority = 0 AND due_time <= $2
            AND content_bytes < $4
        ORDER BY due_time, message_id
        LIMIT $3
    ) AS priority_0
    UNION ALL
    SELECT * FROM (
        SELECT message_id, priority, due_time, attempts, backoffs, in_doubt, policy, expire_time, recipient_count,
            content_bytes
        FROM messages
        WHERE reseller = $1 AND state IN ('accepted', 'scheduled', 'deferred') AND priority = 1 AND due_time <= $2
            AND content_bytes < $4
        ORDER BY due_time, message_id
        LIMIT $3
    ) AS priority_1
    UNION ALL
    SELECT * FROM (
        SELECT message_id, priority, due_time, attempts, backoffs, in_doubt, policy, expire_time, recipient_count,
            content_bytes
        FROM messages
        WHERE reseller = $1 AND state IN ('accepted', 'scheduled', 'deferred') AND priority = 2 AND due_time <= $2
            AND content_bytes < $4
        ORDER BY due_time, message_id
        LIMIT $3
    ) AS priority_2
) AS waiting
WHERE NOT EXISTS (
    SELECT 1 FROM resellers WHERE reseller = $1 AND (wait_until > $2 OR pause_time IS NOT NULL)
)
ORDER BY priority, due_time, message_id
