-- $1 reseller, $2 the version to keep, or null
DELETE FROM sealed_credentials WHERE reseller = $1 AND version IS DISTINCT FROM $2
