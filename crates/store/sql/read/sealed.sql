-- $1 reseller, $2 version
SELECT version, ciphertext, create_time FROM sealed_credentials WHERE reseller = $1 AND version = $2
