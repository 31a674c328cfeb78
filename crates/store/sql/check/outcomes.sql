-- SENT is a recorded 202 and nothing else, and a doubt is known for as long as no 202 resolves it.
-- $1 limit
SELECT
    m.reseller, m.message_id,
    CASE
        WHEN m.state = 'sent' AND coalesce(a.sent, 0) = 0 THEN 'is SENT without a 202'
        WHEN m.state <> 'sent' AND coalesce(a.sent, 0) = 1 THEN 'has a 202, and is ' || m.state
        WHEN m.in_doubt THEN 'is in doubt, and no attempt is'
        WHEN coalesce(a.doubts, 0) = 1 THEN 'hides that an attempt is in doubt'
        ELSE 'is OUTCOME_UNKNOWN without a doubt'
    END AS found
FROM messages AS m
LEFT JOIN (
    SELECT
        reseller, message_id,
        max(CASE WHEN outcome = 'sent' OR late_outcome = 'sent' THEN 1 ELSE 0 END) AS sent,
        max(CASE WHEN outcome = 'in_doubt' THEN 1 ELSE 0 END) AS doubts
    FROM attempts
    GROUP BY reseller, message_id
) AS a ON a.reseller = m.reseller AND a.message_id = m.message_id
WHERE (m.state = 'sent') <> (coalesce(a.sent, 0) = 1)
    OR (m.state <> 'sent' AND m.in_doubt <> (coalesce(a.doubts, 0) = 1))
    OR (m.state = 'outcome_unknown' AND NOT m.in_doubt)
LIMIT $1
