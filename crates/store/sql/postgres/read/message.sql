-- One message as its caller sees it, with its lane, by which it may read as HELD.
-- $1 reseller, $2 message_id, $3 now, $4 limit of those that go before it
SELECT
    m.reseller, m.message_id, m.state, m.due_time, m.expire_time, m.send_time, m.create_time, m.update_time, m.request_id,
    m.internet_message_id, m.subject, m.recipient_count, m.labels, m.finding_code, m.finding_class, m.finding_evidence,
    r.pause_time, r.pause_reason, r.wait_until, r.pace_until, r.hold_code, r.hold_class, r.hold_evidence,
    r.hold_probe_time, r.hold_probes, r.pace_messages_per_minute,
    CASE WHEN m.state IN ('accepted', 'scheduled', 'deferred') THEN (
        SELECT count(*) FROM (
            SELECT 1 FROM messages AS b
            WHERE b.reseller = m.reseller AND b.state IN ('accepted', 'scheduled', 'deferred')
                AND b.priority <= m.priority AND b.due_time <= greatest(m.due_time, $3)
                AND (
                    b.priority < m.priority OR b.due_time < m.due_time
                    OR (b.due_time = m.due_time AND b.message_id < m.message_id)
                )
            LIMIT $4
        ) AS before_it
    ) ELSE 0 END AS ahead,
    coalesce((
        SELECT json_agg(json_build_object(
            'number', a.number, 'start_time', a.start_time, 'end_time', a.end_time, 'outcome', a.outcome,
            'finding_code', a.finding_code, 'finding_class', a.finding_class,
            'finding_evidence', a.finding_evidence, 'graph_request_id', a.graph_request_id,
            'late_time', a.late_time, 'late_outcome', a.late_outcome,
            'late_graph_request_id', a.late_graph_request_id
        ) ORDER BY a.number)
        FROM attempts AS a
        WHERE a.reseller = m.reseller AND a.message_id = m.message_id
    ), '[]')::text AS attempts
FROM messages AS m
LEFT JOIN resellers AS r ON r.reseller = m.reseller
WHERE m.reseller = $1 AND m.message_id = $2
