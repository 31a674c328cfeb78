-- A message is in one of its states, and has ended if that is an end.
-- $1 limit
SELECT m.reseller, m.message_id, 'is ' || m.state || CASE WHEN m.end_time IS NULL THEN ' without an end' ELSE ' with an end' END AS found
FROM messages AS m
WHERE m.state NOT IN (
        'accepted', 'scheduled', 'sending', 'deferred', 'sent', 'outcome_unknown', 'failed', 'cancelled', 'expired'
    )
    OR (m.end_time IS NULL) <> (m.state IN ('accepted', 'scheduled', 'sending', 'deferred'))
LIMIT $1
