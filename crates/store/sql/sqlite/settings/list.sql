-- In order of the slug. A held lane is what makes settings PAUSED.
-- $1 after this reseller or null, $2 state or null, $3 credential expires before or null,
-- $4 resellers (JSON array; null: all), $5 limit
SELECT
    s.reseller, s.revision, s.directory, s.client, s.mailbox, s.cloud, s.send_as, s.pace_concurrency,
    s.pace_messages_per_minute, s.pace_recipients_per_day, s.labels, s.credential_kind, s.credential_fingerprint,
    s.credential_version, s.credential_create_time, s.credential_expire_time, s.works, s.finding_code, s.finding_class,
    s.finding_evidence, s.update_time, l.hold_code, l.hold_class, l.hold_evidence, l.hold_probe_time, l.hold_probes
FROM settings AS s
LEFT JOIN lanes AS l ON l.reseller = s.reseller
WHERE s.reseller > coalesce($1, '')
    AND ($2 IS NULL OR $2 = CASE
        WHEN l.hold_code IS NOT NULL THEN 'paused' WHEN s.works THEN 'ready' ELSE 'untested'
    END)
    AND ($3 IS NULL OR s.credential_expire_time < $3)
    AND ($4 IS NULL OR s.reseller IN (SELECT value FROM json_each($4)))
ORDER BY s.reseller
LIMIT $5
