-- Whoever held a lane died with the process before. An open attempt of a reseller without a lane is a test mail that
-- nobody else will resolve.
-- $1 now, $2 finding_code, $3 finding_class, $4 finding_evidence
UPDATE messages
SET state = 'outcome_unknown', in_doubt = 1, end_time = $1, update_time = $1,
    finding_code = $2, finding_class = $3, finding_evidence = $4
WHERE state = 'sending' AND (reseller, message_id) IN (
    SELECT reseller, message_id FROM attempts INDEXED BY attempts_open
    WHERE end_time IS NULL AND reseller NOT IN (SELECT reseller FROM lanes)
);
UPDATE attempts
SET end_time = $1, outcome = 'in_doubt', finding_code = $2, finding_class = $3, finding_evidence = $4
WHERE end_time IS NULL AND reseller NOT IN (SELECT reseller FROM lanes);
UPDATE lanes
SET lease_token = NULL, lease_until = NULL,
    due_time = (SELECT due_time FROM lanes_work AS work WHERE work.reseller = lanes.reseller)
WHERE lease_token IS NOT NULL
    OR due_time IS NOT (SELECT due_time FROM lanes_work AS work WHERE work.reseller = lanes.reseller);
