-- A request is known again for a day after its acceptance and for a day after its message's end, and not for ever. (A message
-- that was retried by hand long after its end has lost its key.)
-- $1 limit, $2 now
SELECT m.reseller, m.message_id, 'would be sent again by a repeated request ' || m.request_id AS found
FROM messages AS m
LEFT JOIN request_keys AS k ON k.reseller = m.reseller AND k.request_id = m.request_id
WHERE m.request_id IS NOT NULL AND (m.state = 'scheduled' OR m.create_time > $2 - 86400000000)
    AND (k.message_id IS NULL OR k.message_id <> m.message_id)
UNION ALL
SELECT
    k.reseller, k.message_id,
    CASE
        WHEN k.expire_time IS NOT NULL THEN 'has a request key that goes too early, '
        WHEN m.message_id IS NULL THEN 'is not there, and its request key is, '
        ELSE 'has ended, and its request key never goes, '
    END || k.request_id
FROM request_keys AS k
LEFT JOIN messages AS m ON m.reseller = k.reseller AND m.message_id = k.message_id
WHERE (k.expire_time IS NULL AND (m.message_id IS NULL OR m.end_time IS NOT NULL))
    OR (m.message_id IS NOT NULL AND k.expire_time IS NOT NULL
        AND (m.end_time IS NULL OR k.expire_time < m.end_time + 86400000000))
LIMIT $1
