-- Messages that waited when their lane was stopped or let go, whatever became of them since: those that have had no event since
-- and those whose first event after it ended that wait. Who is among them never changes, so that it can be read in parts.
-- $1 reseller, $2 number of the lane's event, $3 after this message_id or null, $4 limit
WITH waited (message_id, waited_as, waited_attempts, waits) AS (
    SELECT * FROM (
        SELECT m.message_id, m.state, m.attempts, 1 FROM messages AS m
        WHERE m.reseller = $1 AND m.state IN ('accepted', 'deferred') AND m.last_event < $2
            AND m.message_id >= coalesce($3, (
                SELECT decode(min(encode(w.message_id, 'hex')), 'hex') FROM messages AS w
                WHERE w.reseller = $1 AND w.state IN ('accepted', 'scheduled', 'deferred')
            ))
            AND ($3::bytea IS NULL OR m.message_id > $3)
        ORDER BY m.message_id
        LIMIT $4
    ) AS still
    UNION ALL
    SELECT * FROM (
        SELECT e.message_id, e.waited_as, e.attempts - CASE WHEN e.state = 'sending' THEN 1 ELSE 0 END, 0
        FROM events AS e
        WHERE e.reseller = $1 AND e.number > $2 AND e.waited_since < $2 AND ($3::bytea IS NULL OR e.message_id > $3)
        ORDER BY e.message_id
        LIMIT $4
    ) AS until_later
)
SELECT
    w.waited_as, w.waited_attempts, w.waits,
    m.reseller, m.message_id, m.state, m.due_time, m.expire_time, m.send_time, m.create_time, m.update_time, m.request_id,
    m.internet_message_id, m.subject, m.recipient_count, m.labels, m.finding_code, m.finding_class, m.finding_evidence,
    r.pause_time, r.pause_reason, r.wait_until, r.pace_until, r.hold_code, r.hold_class, r.hold_evidence,
    r.hold_probe_time, r.hold_probes,
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
FROM waited AS w
JOIN messages AS m ON m.reseller = $1 AND m.message_id = w.message_id
LEFT JOIN resellers AS r ON r.reseller = m.reseller
ORDER BY m.message_id
LIMIT $4
