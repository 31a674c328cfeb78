-- The settings name another version, if they still name the one that was looked at.
-- $1 reseller, $2 the version until now, $3 credential_kind, $4 credential_fingerprint, $5 credential_version,
-- $6 credential_create_time, $7 credential_expire_time, $8 now, $9 whether it was seen to work
UPDATE settings SET
    revision = revision + 1, credential_kind = $3, credential_fingerprint = $4, credential_version = $5,
    credential_create_time = $6, credential_expire_time = $7, update_time = $8,
    finding_code = CASE WHEN $9 THEN NULL ELSE finding_code END,
    finding_class = CASE WHEN $9 THEN NULL ELSE finding_class END,
    finding_evidence = CASE WHEN $9 THEN NULL ELSE finding_evidence END
WHERE reseller = $1 AND credential_version = $2
RETURNING revision
