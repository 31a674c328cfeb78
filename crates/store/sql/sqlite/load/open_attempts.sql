-- Those that nobody ended.
-- $1 reseller
SELECT
    a.reseller, a.message_id, a.number, a.mailbox, a.lease_token, a.settings_revision, a.start_time, a.call_deadline,
    a.end_time, a.outcome, a.finding_code, a.finding_class, a.finding_evidence, a.graph_request_id, a.late_time,
    a.late_outcome, a.late_graph_request_id
FROM attempts AS a INDEXED BY attempts_open
WHERE a.reseller IN (/*each*/$1/*each*/) AND a.end_time IS NULL
