INSERT INTO attempts (
    reseller, message_id, number, mailbox, lease_token, settings_revision, start_time, call_deadline, end_time,
    outcome, finding_code, finding_class, finding_evidence, graph_request_id
)
VALUES /*each*/(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14
)/*each*/
