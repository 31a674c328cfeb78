-- Who has a federated source with a client.
-- $1 client, $2 credential_fingerprint
SELECT reseller, directory, client, credential_fingerprint
FROM settings
WHERE credential_kind = 'federated' AND (client, credential_fingerprint) IN (VALUES /*each*/($1, $2)/*each*/)
