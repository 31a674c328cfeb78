-- A message counts its attempts, which are numbered from 1 without a gap.
-- $1 limit
SELECT
    m.reseller, m.message_id,
    'counts ' || m.attempts || ' attempts, and has ' || coalesce(a.attempts, 0) || ' to number ' || coalesce(a.last, 0) AS found
FROM messages AS m
LEFT JOIN (
    SELECT reseller, message_id, count(*) AS attempts, max(number) AS last FROM attempts GROUP BY reseller, message_id
) AS a ON a.reseller = m.reseller AND a.message_id = m.message_id
WHERE m.attempts <> coalesce(a.attempts, 0) OR m.attempts <> coalesce(a.last, 0)
UNION ALL
SELECT a.reseller, a.message_id, 'is not there, and its attempt ' || a.number || ' is'
FROM attempts AS a
WHERE NOT EXISTS (SELECT 1 FROM messages AS m WHERE m.reseller = a.reseller AND m.message_id = a.message_id)
LIMIT $1
