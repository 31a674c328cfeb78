-- $1 reseller
SELECT
    s.reseller, s.revision, s.directory, s.client, s.mailbox, s.cloud, s.send_as, s.pace_concurrency,
    s.pace_messages_per_minute, s.pace_recipients_per_day, s.labels, s.credential_kind, s.credential_fingerprint,
    s.credential_version, s.credential_create_time, s.credential_expire_time, s.update_time, r.works, r.finding_code,
    r.finding_class, r.finding_evidence, r.pause_time, r.pause_reason, r.hold_code, r.hold_class, r.hold_evidence,
    r.hold_probe_time, r.hold_probes, r.wait_until, r.pace_until
FROM settings AS s
JOIN resellers AS r ON r.reseller = s.reseller
WHERE s.reseller = $1
