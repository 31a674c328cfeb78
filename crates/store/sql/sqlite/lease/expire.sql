-- Waiting messages whose time ran out. With an unresolved doubt that is how they end; else the hold says why, if one does.
-- $1 reseller, $2 token, $3 now, $4 limit, $5 finding_code, $6 finding_class, $7 finding_evidence: for those in doubt
UPDATE messages
SET state = CASE WHEN in_doubt THEN 'outcome_unknown' ELSE 'expired' END,
    end_time = $3, update_time = $3,
    finding_code = CASE WHEN in_doubt THEN $5 ELSE coalesce(held.hold_code, finding_code) END,
    finding_class = CASE WHEN in_doubt THEN $6 ELSE coalesce(held.hold_class, finding_class) END,
    finding_evidence = CASE WHEN in_doubt THEN $7 ELSE coalesce(held.hold_evidence, finding_evidence) END
FROM (
    SELECT hold_code, hold_class, hold_evidence FROM lanes WHERE reseller = $1 AND lease_token = $2
) AS held
WHERE reseller = $1 AND message_id IN (
    SELECT message_id FROM messages INDEXED BY messages_expiring
    WHERE reseller = $1 AND state IN ('accepted', 'scheduled', 'deferred') AND expire_time <= $3
    ORDER BY expire_time
    LIMIT $4
)
RETURNING message_id
