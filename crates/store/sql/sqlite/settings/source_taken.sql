-- Whether another reseller has this federated source with this directory and client.
-- $1 reseller, $2 directory, $3 client, $4 credential_fingerprint
SELECT EXISTS (
    SELECT 1 FROM settings
    WHERE credential_kind = 'federated' AND reseller <> $1 AND directory = $2 AND client = $3
        AND credential_fingerprint = $4
)
