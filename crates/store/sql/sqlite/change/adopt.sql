-- The settings name another version, if they still name the one that was looked at. A hold of the lane is lifted, for
-- it was the credential's.
-- $1 reseller, $2 the version until now, $3 credential_kind, $4 credential_fingerprint, $5 credential_version,
-- $6 credential_create_time, $7 credential_expire_time, $8 now
UPDATE settings SET
    revision = revision + 1, credential_kind = $3, credential_fingerprint = $4, credential_version = $5,
    credential_create_time = $6, credential_expire_time = $7, finding_code = NULL, finding_class = NULL,
    finding_evidence = NULL, update_time = $8
WHERE reseller = $1 AND credential_version = $2
RETURNING revision
