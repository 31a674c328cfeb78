INSERT INTO sealed_credentials (reseller, version, ciphertext, create_time)
VALUES /*each*/($1, $2, $3, $4)/*each*/
ON CONFLICT (reseller, version) DO UPDATE SET ciphertext = excluded.ciphertext, create_time = excluded.create_time
