-- $1 reseller, $2 message_id, $3 due_time or null: as it was, $4 counts, $5 in_doubt, $6 now, $7 finding_code,
-- $8 finding_class, $9 finding_evidence
UPDATE messages
SET state = 'deferred', due_time = coalesce($3, due_time), backoffs = backoffs + $4, in_doubt = $5, update_time = $6,
    finding_code = $7, finding_class = $8, finding_evidence = $9
WHERE reseller = $1 AND message_id = $2
