-- A lane goes by the settings that are saved, and a credential that lies in this database is there. (The name of a version in
-- Vault has a hyphen.)
-- $1 limit
SELECT coalesce(r.reseller, s.reseller) AS reseller, CAST(NULL AS BYTEA) AS message_id, 'has a lane that goes by other settings' AS found
FROM resellers AS r
LEFT JOIN settings AS s ON s.reseller = r.reseller
WHERE (r.revision IS NULL) <> (s.reseller IS NULL)
    OR r.revision <> s.revision OR r.revision > r.last_revision OR r.mailbox <> s.mailbox OR r.cloud <> s.cloud
    OR r.pace_concurrency IS DISTINCT FROM s.pace_concurrency
    OR r.pace_messages_per_minute IS DISTINCT FROM s.pace_messages_per_minute
    OR r.pace_recipients_per_day IS DISTINCT FROM s.pace_recipients_per_day
UNION ALL
SELECT s.reseller, CAST(NULL AS BYTEA), 'has settings and no lane'
FROM settings AS s
WHERE NOT EXISTS (SELECT 1 FROM resellers AS r WHERE r.reseller = s.reseller)
UNION ALL
SELECT s.reseller, CAST(NULL AS BYTEA), 'has settings whose credential is not there'
FROM settings AS s
WHERE s.credential_version NOT LIKE '%-%' AND NOT EXISTS (
    SELECT 1 FROM sealed_credentials AS c WHERE c.reseller = s.reseller AND c.version = s.credential_version
)
LIMIT $1
