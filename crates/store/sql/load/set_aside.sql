-- $1 reseller, $2 now, $3 limit
SELECT
    m.reseller, m.message_id, m.state, m.is_test, m.priority, m.policy, m.due_time, m.expire_time, m.create_time,
    m.update_time, m.end_time, m.purge_time, m.has_content, m.content_bytes, m.attempts, m.backoffs, m.in_doubt,
    m.request_id, m.last_event, m.recipient_count, m.finding_code, m.finding_class, m.finding_evidence
FROM messages AS m
WHERE m.reseller = $1 AND m.state = 'deferred' AND m.finding_code = 'DAILY_LIMIT' AND m.due_time > $2
ORDER BY m.due_time
LIMIT $3
