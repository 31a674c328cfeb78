-- Replaces the settings but for their create_time; lifts the hold they caused; the lane takes the mailbox and is due.
-- $1 reseller, $2 revision, $3 directory, $4 client, $5 mailbox, $6 cloud, $7 send_as, $8 pace_concurrency,
-- $9 pace_messages_per_minute, $10 pace_recipients_per_day, $11 labels, $12 credential_kind,
-- $13 credential_fingerprint, $14 credential_version, $15 credential_create_time, $16 credential_expire_time,
-- $17 finding_code, $18 finding_class, $19 finding_evidence, $20 now
INSERT INTO revisions (reseller, revision) VALUES ($1, $2)
ON CONFLICT (reseller) DO UPDATE SET revision = excluded.revision;
INSERT INTO settings (
    reseller, revision, directory, client, mailbox, cloud, send_as, pace_concurrency, pace_messages_per_minute,
    pace_recipients_per_day, labels, credential_kind, credential_fingerprint, credential_version,
    credential_create_time, credential_expire_time, works, finding_code, finding_class, finding_evidence, create_time,
    update_time
)
VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 0, $17, $18, $19, $20, $20
)
ON CONFLICT (reseller) DO UPDATE SET
    revision = excluded.revision, directory = excluded.directory, client = excluded.client,
    mailbox = excluded.mailbox, cloud = excluded.cloud, send_as = excluded.send_as,
    pace_concurrency = excluded.pace_concurrency, pace_messages_per_minute = excluded.pace_messages_per_minute,
    pace_recipients_per_day = excluded.pace_recipients_per_day, labels = excluded.labels,
    credential_kind = excluded.credential_kind, credential_fingerprint = excluded.credential_fingerprint,
    credential_version = excluded.credential_version, credential_create_time = excluded.credential_create_time,
    credential_expire_time = excluded.credential_expire_time, works = 0, finding_code = excluded.finding_code,
    finding_class = excluded.finding_class, finding_evidence = excluded.finding_evidence,
    update_time = excluded.update_time;
INSERT INTO lanes (reseller, mailbox) VALUES ($1, $5)
ON CONFLICT (reseller) DO UPDATE SET
    mailbox = excluded.mailbox,
    -- What Microsoft asked of this mailbox still holds.
    wait_until = CASE WHEN lanes.mailbox = excluded.mailbox THEN lanes.wait_until END;
UPDATE lanes
SET hold_code = NULL, hold_class = NULL, hold_evidence = NULL, hold_probe_time = NULL, hold_probes = NULL
WHERE reseller = $1 AND hold_code <> 'SENDING_PAUSED';
UPDATE lanes SET due_time = (SELECT due_time FROM lanes_work AS work WHERE work.reseller = lanes.reseller)
WHERE reseller = $1
