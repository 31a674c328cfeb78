-- $1 reseller, $2 version
SELECT reseller, version, ciphertext, create_time FROM sealed_credentials WHERE reseller = $1 AND version = $2
