-- The outcome, written once.
-- $1 reseller, $2 message_id, $3 number, $4 end_time, $5 outcome, $6 finding_code, $7 finding_class,
-- $8 finding_evidence, $9 graph_request_id
UPDATE attempts
SET end_time = $4, outcome = $5, finding_code = $6, finding_class = $7, finding_evidence = $8, graph_request_id = $9
WHERE reseller = $1 AND message_id = $2 AND number = $3 AND end_time IS NULL
