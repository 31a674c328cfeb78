-- $1 reseller
SELECT
    s.reseller, s.revision, s.directory, s.client, s.mailbox, s.cloud, s.send_as, s.pace_concurrency,
    s.pace_messages_per_minute, s.pace_recipients_per_day, s.labels, s.credential_kind, s.credential_fingerprint,
    s.credential_version, s.credential_create_time, s.credential_expire_time, s.works, s.finding_code, s.finding_class,
    s.finding_evidence, s.update_time, l.hold_code, l.hold_class, l.hold_evidence, l.hold_probe_time, l.hold_probes
FROM settings AS s
LEFT JOIN lanes AS l ON l.reseller = s.reseller
WHERE s.reseller = $1
