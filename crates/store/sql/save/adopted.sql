-- $1 reseller, $2 revision, $3 credential_kind, $4 credential_fingerprint, $5 credential_version, $6 credential_create_time,
-- $7 credential_expire_time, $8 now
UPDATE settings SET
    revision = $2, credential_kind = $3, credential_fingerprint = $4, credential_version = $5,
    credential_create_time = $6, credential_expire_time = $7, update_time = $8
WHERE reseller = $1
