-- $1 reseller, $2 message_id, $3 number
WITH wanted (reseller, message_id, number) AS (VALUES /*each*/($1, $2, $3)/*each*/)
SELECT
    a.reseller, a.message_id, a.number, a.mailbox, a.lease_token, a.settings_revision, a.start_time, a.call_deadline,
    a.end_time, a.outcome, a.finding_code, a.finding_class, a.finding_evidence, a.graph_request_id, a.late_time,
    a.late_outcome, a.late_graph_request_id
FROM wanted
JOIN attempts AS a
    ON a.reseller = wanted.reseller AND a.message_id = wanted.message_id AND a.number = wanted.number
