-- Replaces all but the create_time.
INSERT INTO settings (
    reseller, revision, directory, client, mailbox, cloud, send_as, pace_concurrency, pace_messages_per_minute,
    pace_recipients_per_day, labels, credential_kind, credential_fingerprint, credential_version,
    credential_create_time, credential_expire_time, create_time, update_time
)
VALUES /*each*/(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18
)/*each*/
ON CONFLICT (reseller) DO UPDATE SET
    revision = excluded.revision, directory = excluded.directory, client = excluded.client, mailbox =
    excluded.mailbox, cloud = excluded.cloud, send_as = excluded.send_as, pace_concurrency =
    excluded.pace_concurrency, pace_messages_per_minute = excluded.pace_messages_per_minute,
    pace_recipients_per_day = excluded.pace_recipients_per_day, labels = excluded.labels, credential_kind =
    excluded.credential_kind, credential_fingerprint = excluded.credential_fingerprint, credential_version =
    excluded.credential_version, credential_create_time = excluded.credential_create_time,
    credential_expire_time = excluded.credential_expire_time, update_time = excluded.update_time
