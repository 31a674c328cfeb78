-- Messages that wait, from the oldest to the newest. What ended before the first of them is not looked at.
-- $1 reseller, $2 after this message_id or null, $3 created until, $4 limit
SELECT
    m.reseller, m.message_id, m.state, m.due_time, m.expire_time, m.send_time, m.create_time, m.update_time, m.request_id,
    m.internet_message_id, m.subject, m.recipient_count, m.labels, m.finding_code, m.finding_class, m.finding_evidence,
    r.pause_time, r.pause_reason, r.wait_until, r.pace_until, r.hold_code, r.hold_class, r.hold_evidence,
    r.hold_probe_time, r.hold_probes,
    (
        SELECT json_group_array(json_object(
            'number', a.number, 'start_time', a.start_time, 'end_time', a.end_time, 'outcome', a.outcome,
            'finding_code', a.finding_code, 'finding_class', a.finding_class,
            'finding_evidence', a.finding_evidence, 'graph_request_id', a.graph_request_id,
            'late_time', a.late_time, 'late_outcome', a.late_outcome,
            'late_graph_request_id', a.late_graph_request_id
        ) ORDER BY a.number)
        FROM attempts AS a
        WHERE a.reseller = m.reseller AND a.message_id = m.message_id
    ) AS attempts
FROM messages AS m
LEFT JOIN resellers AS r ON r.reseller = m.reseller
WHERE m.reseller = $1 AND m.state IN ('accepted', 'scheduled', 'deferred')
    AND m.message_id >= coalesce($2, (
        SELECT min(w.message_id) FROM messages AS w INDEXED BY messages_waiting
        WHERE w.reseller = $1 AND w.state IN ('accepted', 'scheduled', 'deferred')
    ))
    AND ($2 IS NULL OR m.message_id > $2) AND m.create_time <= $3
ORDER BY m.message_id
LIMIT $4
