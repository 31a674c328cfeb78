-- A page, from the newest to the oldest. The state is the one a caller sees: HELD by the rule of seen.rs.
-- $1 reseller, $2 before this message_id or null, $3 states (JSON array; null: all), $4 labels (JSON object), $5 limit,
-- $6 now
SELECT
    m.reseller, m.message_id, m.state, m.due_time, m.expire_time, m.send_time, m.create_time, m.update_time, m.request_id,
    m.internet_message_id, m.subject, m.recipient_count, m.labels, m.finding_code, m.finding_class, m.finding_evidence,
    r.pause_time, r.pause_reason, r.wait_until, r.pace_until, r.hold_code, r.hold_class, r.hold_evidence,
    r.hold_probe_time, r.hold_probes, r.pace_messages_per_minute, m.priority,
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
WHERE m.reseller = $1
    AND m.message_id < coalesce($2, '\xffffffffffffffffffffffffffffffffff'::bytea)
    AND ($3::text IS NULL OR CASE
        WHEN (r.hold_code IS NOT NULL OR r.pause_time IS NOT NULL)
            AND (m.state IN ('accepted', 'deferred') OR (m.state = 'scheduled' AND m.due_time <= $6)) THEN 'held'
        ELSE m.state
    END IN (SELECT jsonb_array_elements_text($3::text::jsonb)))
    AND m.labels::jsonb @> $4::jsonb
ORDER BY m.message_id DESC
LIMIT $5
