-- Waiting messages whose time ran out, the longest ago first; and in a lane that is stopped, what came due meanwhile.
-- $1 reseller, $2 now, $3 limit of each
SELECT * FROM (
    SELECT
        m.reseller, m.message_id, m.state, m.is_test, m.priority, m.policy, m.due_time, m.expire_time, m.create_time,
        m.update_time, m.end_time, m.purge_time, m.has_content, m.content_bytes, m.attempts, m.backoffs, m.in_doubt,
        m.request_id, m.last_event, m.recipient_count, m.finding_code, m.finding_class, m.finding_evidence
    FROM messages AS m
    WHERE m.reseller = $1 AND m.state IN ('accepted', 'scheduled', 'deferred') AND m.expire_time <= $2
    ORDER BY m.expire_time
    LIMIT $3
) AS expiring
UNION ALL
SELECT * FROM (
    SELECT
        m.reseller, m.message_id, m.state, m.is_test, m.priority, m.policy, m.due_time, m.expire_time, m.create_time,
        m.update_time, m.end_time, m.purge_time, m.has_content, m.content_bytes, m.attempts, m.backoffs, m.in_doubt,
        m.request_id, m.last_event, m.recipient_count, m.finding_code, m.finding_class, m.finding_evidence
    FROM messages AS m
    WHERE m.reseller = $1 AND m.state = 'scheduled' AND m.due_time <= $2 AND EXISTS (
        SELECT 1 FROM resellers AS r
        WHERE r.reseller = $1 AND (r.pause_time IS NOT NULL OR r.hold_code IS NOT NULL)
    )
    ORDER BY m.due_time
    LIMIT $3
) AS coming_due
