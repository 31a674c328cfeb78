-- Who has a federated source with a directory and client.
-- $1 directory, $2 client, $3 credential_fingerprint
SELECT reseller, directory, client, credential_fingerprint
FROM settings
WHERE credential_kind = 'federated' AND (directory, client, credential_fingerprint) IN (VALUES /*each*/($1, $2, $3)/*each*/)
