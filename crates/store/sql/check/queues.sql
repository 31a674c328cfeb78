-- A reseller's place in the queue is that of its unfinished messages.
-- $1 limit
SELECT
    r.reseller, CAST(NULL AS BYTEA) AS message_id,
    'counts ' || r.queued_messages || ' unfinished messages of ' || r.queued_bytes || ' bytes, and has '
        || coalesce(m.messages, 0) || ' of ' || coalesce(m.bytes, 0) AS found
FROM resellers AS r
LEFT JOIN (
    SELECT reseller, count(*) AS messages, sum(content_bytes) AS bytes FROM messages WHERE end_time IS NULL GROUP BY reseller
) AS m ON m.reseller = r.reseller
WHERE r.queued_messages <> coalesce(m.messages, 0) OR r.queued_bytes <> coalesce(m.bytes, 0)
UNION ALL
SELECT m.reseller, m.message_id, 'is of a reseller that is not there'
FROM messages AS m
WHERE NOT EXISTS (SELECT 1 FROM resellers AS r WHERE r.reseller = m.reseller)
LIMIT $1
