-- What changed of any reseller, as it was committed.
-- Transactions commit out of order: what is read is what none that is still open can precede. That is asked in a query of its
-- own, which Citus answers on the coordinator, whose transactions the positions are.
-- $1 position, $2 reseller, $3 number: after this event; $4 limit
SELECT
    e.number, e.position, e.time AS event_time, e.message_id AS event_message, e.state AS event_state, e.next_attempt_time,
    e.attempts AS event_attempts, e.in_flight, e.finding_code AS event_finding_code,
    e.finding_class AS event_finding_class, e.finding_evidence AS event_finding_evidence,
    e.reseller, m.message_id, m.state, m.due_time, m.expire_time, m.send_time, m.create_time, m.update_time, m.request_id,
    m.internet_message_id, m.subject, m.recipient_count, m.labels, m.finding_code, m.finding_class, m.finding_evidence,
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
FROM events AS e
LEFT JOIN messages AS m ON m.reseller = e.reseller AND m.message_id = e.message_id
WHERE (e.position, e.reseller, e.number) > ($1, $2, $3)
    AND e.position < (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint)
ORDER BY e.position, e.reseller, e.number
LIMIT $4
