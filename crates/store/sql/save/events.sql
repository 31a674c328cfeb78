INSERT INTO events (
    reseller, number, time, message_id, state, next_attempt_time, attempts, in_flight, finding_code,
    finding_class, finding_evidence, waited_since, waited_as
)
VALUES /*each*/(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13
)/*each*/
