-- $1 reseller, $2 message_id, $3 state, $4 in_doubt, $5 now, $6 finding_code, $7 finding_class, $8 finding_evidence,
-- $9 purge the content
UPDATE messages
SET state = $3, in_doubt = $4, update_time = $5, end_time = $5,
    finding_code = $6, finding_class = $7, finding_evidence = $8
WHERE reseller = $1 AND message_id = $2;
DELETE FROM contents WHERE reseller = $1 AND message_id = $2 AND $9
