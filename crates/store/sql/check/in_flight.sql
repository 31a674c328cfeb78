-- What is SENDING has an attempt in flight, which somebody ends at its deadline. Only a late 202 ends a message meanwhile.
-- $1 limit
SELECT m.reseller, m.message_id, 'is SENDING, and no attempt is in flight' AS found
FROM messages AS m
WHERE m.state = 'sending' AND NOT EXISTS (
    SELECT 1 FROM attempts AS a
    WHERE a.reseller = m.reseller AND a.message_id = m.message_id AND a.number = m.attempts AND a.end_time IS NULL
)
UNION ALL
SELECT
    a.reseller, a.message_id,
    CASE
        WHEN a.call_deadline IS NULL THEN 'has an attempt in flight without a deadline'
        ELSE 'has an attempt in flight, and is ' || m.state
    END
FROM attempts AS a
JOIN messages AS m ON m.reseller = a.reseller AND m.message_id = a.message_id
WHERE a.end_time IS NULL AND (a.call_deadline IS NULL OR m.state NOT IN ('sending', 'sent'))
LIMIT $1
