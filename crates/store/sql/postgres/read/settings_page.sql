-- In order of the slug. A stopped lane is what makes settings PAUSED.
-- $1 after this reseller or null, $2 state or null, $3 credential expires before or null,
-- $4 resellers (JSON array; null: all), $5 limit
SELECT
    s.reseller, s.revision, s.directory, s.client, s.mailbox, s.cloud, s.send_as, s.pace_concurrency,
    s.pace_messages_per_minute, s.pace_recipients_per_day, s.labels, s.credential_kind, s.credential_fingerprint,
    s.credential_version, s.credential_create_time, s.credential_expire_time, s.update_time, r.works, r.finding_code,
    r.finding_class, r.finding_evidence, r.pause_time, r.pause_reason, r.hold_code, r.hold_class, r.hold_evidence,
    r.hold_probe_time, r.hold_probes, r.wait_until, r.pace_until
FROM settings AS s
JOIN resellers AS r ON r.reseller = s.reseller
WHERE s.reseller > coalesce($1, '')
    AND ($2::text IS NULL OR $2 = CASE
        WHEN r.hold_code IS NOT NULL OR r.pause_time IS NOT NULL THEN 'paused' WHEN r.works THEN 'ready' ELSE 'untested'
    END)
    AND ($3::bigint IS NULL OR s.credential_expire_time < $3)
    AND ($4::text IS NULL OR s.reseller IN (SELECT jsonb_array_elements_text($4::text::jsonb)))
ORDER BY s.reseller
LIMIT $5
