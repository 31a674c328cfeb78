-- $1 reseller, $2 token of whoever asks: its own are no news to it
SELECT
    a.number, a.call_deadline,
    m.message_id, m.priority, m.attempts, m.backoffs, m.in_doubt, m.policy, m.expire_time
FROM attempts AS a INDEXED BY attempts_open
JOIN messages AS m ON m.reseller = a.reseller AND m.message_id = a.message_id
WHERE a.reseller = $1 AND a.end_time IS NULL AND a.lease_token IS NOT $2
ORDER BY a.start_time, a.message_id
