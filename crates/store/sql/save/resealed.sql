-- $1 reseller, $2 version, $3 ciphertext
UPDATE sealed_credentials SET ciphertext = $3 WHERE reseller = $1 AND version = $2
