-- $1 reseller, $2 version, $3 the ciphertext until now, $4 the new one
UPDATE sealed_credentials SET ciphertext = $4 WHERE reseller = $1 AND version = $2 AND ciphertext = $3
