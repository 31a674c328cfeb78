-- $1 reseller, $2 the version to keep, or null, $3 put before
DELETE FROM sealed_credentials WHERE reseller = $1 AND version IS DISTINCT FROM $2 AND create_time < $3
