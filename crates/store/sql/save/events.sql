INSERT INTO events (
    reseller, number, time, message_id, state, next_attempt_time, attempts, in_flight, finding_code,
    finding_class, finding_evidence
)
VALUES /*each*/(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11
)/*each*/
