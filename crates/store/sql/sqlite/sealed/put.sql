-- $1 reseller, $2 version, $3 ciphertext, $4 create_time
INSERT INTO sealed_credentials (reseller, version, ciphertext, create_time) VALUES ($1, $2, $3, $4)
ON CONFLICT (reseller, version) DO UPDATE SET ciphertext = excluded.ciphertext, create_time = excluded.create_time
