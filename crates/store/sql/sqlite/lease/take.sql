-- $1 reseller, $2 token, $3 now, $4 until
UPDATE lanes SET lease_token = $2, lease_until = $4
WHERE reseller = $1 AND due_time <= $3 AND (lease_until IS NULL OR lease_until <= $3)
RETURNING
    mailbox, hold_code, hold_class, hold_evidence, hold_probe_time, hold_probes,
    (SELECT pace_concurrency FROM settings AS s WHERE s.reseller = lanes.reseller) AS pace_concurrency,
    (SELECT pace_messages_per_minute FROM settings AS s WHERE s.reseller = lanes.reseller) AS pace_messages_per_minute,
    (SELECT pace_recipients_per_day FROM settings AS s WHERE s.reseller = lanes.reseller) AS pace_recipients_per_day
