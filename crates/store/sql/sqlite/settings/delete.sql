-- The lane goes with the settings; the history and the request keys stay. A doubt is not hidden behind CANCELLED.
-- $1 reseller, $2 now, $3 finding_code, $4 finding_class, $5 finding_evidence: for those in doubt
UPDATE messages
SET state = CASE WHEN in_doubt THEN 'outcome_unknown' ELSE 'cancelled' END,
    end_time = $2, update_time = $2,
    finding_code = CASE WHEN in_doubt THEN $3 ELSE finding_code END,
    finding_class = CASE WHEN in_doubt THEN $4 ELSE finding_class END,
    finding_evidence = CASE WHEN in_doubt THEN $5 ELSE finding_evidence END
WHERE reseller = $1 AND state IN ('accepted', 'scheduled', 'deferred');
DELETE FROM contents WHERE reseller = $1;
DELETE FROM sealed_credentials WHERE reseller = $1;
-- Puts under way fail; what lies in another store is still to be destroyed.
DELETE FROM credential_changes WHERE reseller = $1;
INSERT INTO credential_changes (reseller, change_id, change_time) VALUES ($1, '', $2);
DELETE FROM lanes WHERE reseller = $1;
DELETE FROM settings WHERE reseller = $1
