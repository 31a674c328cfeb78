-- $1 reseller, $2 message_id
WITH wanted (reseller, message_id) AS (VALUES /*each*/($1, $2)/*each*/)
SELECT
    m.reseller, m.message_id, m.state, m.is_test, m.priority, m.policy, m.due_time, m.expire_time, m.create_time,
    m.update_time, m.end_time, m.purge_time, m.has_content, m.content_bytes, m.attempts, m.backoffs, m.in_doubt,
    m.request_id, m.last_event, m.recipient_count, m.finding_code, m.finding_class, m.finding_evidence
FROM wanted
JOIN messages AS m ON m.reseller = wanted.reseller AND m.message_id = wanted.message_id
