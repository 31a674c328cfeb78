-- The row is the lock of all that is the reseller's. In order, so that two transactions never wait for each other.
-- $1 reseller
SELECT
    r.reseller, r.last_revision, r.last_event, r.queued_messages, r.queued_bytes, r.signal, r.revision, r.mailbox, r.cloud,
    r.pace_concurrency, r.pace_messages_per_minute, r.pace_recipients_per_day, r.works, r.finding_code, r.finding_class,
    r.finding_evidence, r.pause_time, r.pause_reason, r.hold_code, r.hold_class, r.hold_evidence, r.hold_probe_time,
    r.hold_probes, r.wait_until, r.asked_until, r.asked_elsewhere, r.pace_until, r.pace_look_time, r.due_time, r.lease_token, r.lease_until,
    r.data_key
FROM resellers AS r
WHERE r.reseller IN (/*each*/$1/*each*/)
ORDER BY r.reseller
FOR UPDATE
