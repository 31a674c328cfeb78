-- $1 after this reseller, $2 and this version of it, $3 limit
SELECT reseller, version, ciphertext, create_time FROM sealed_credentials
WHERE (reseller, version) > ($1, $2) ORDER BY reseller, version LIMIT $3
