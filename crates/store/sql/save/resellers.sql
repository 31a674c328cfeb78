WITH given (
    reseller, last_revision, last_event, queued_messages, queued_bytes, signal, revision, mailbox, cloud,
    pace_concurrency, pace_messages_per_minute, pace_recipients_per_day, works, finding_code, finding_class,
    finding_evidence, pause_time, pause_reason, hold_code, hold_class, hold_evidence, hold_probe_time,
    hold_probes, wait_until, asked_until, asked_elsewhere, pace_until, pace_look_time, due_time, lease_token,
    lease_until
) AS (VALUES /*each*/(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
    $24, $25, $26, $27, $28, $29, $30, $31
)/*each*/)
UPDATE resellers AS r SET
    last_revision = given.last_revision, last_event = given.last_event, queued_messages = given.queued_messages,
    queued_bytes = given.queued_bytes, signal = given.signal, revision = given.revision, mailbox =
    given.mailbox, cloud = given.cloud, pace_concurrency = given.pace_concurrency, pace_messages_per_minute =
    given.pace_messages_per_minute, pace_recipients_per_day = given.pace_recipients_per_day, works =
    given.works, finding_code = given.finding_code, finding_class = given.finding_class, finding_evidence =
    given.finding_evidence, pause_time = given.pause_time, pause_reason = given.pause_reason, hold_code =
    given.hold_code, hold_class = given.hold_class, hold_evidence = given.hold_evidence, hold_probe_time =
    given.hold_probe_time, hold_probes = given.hold_probes, wait_until = given.wait_until, asked_until =
    given.asked_until, asked_elsewhere = given.asked_elsewhere, pace_until = given.pace_until, pace_look_time = given.pace_look_time, due_time =
    given.due_time, lease_token = given.lease_token, lease_until = given.lease_until
FROM given
WHERE r.reseller = given.reseller
