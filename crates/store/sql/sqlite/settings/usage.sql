-- $1 reseller, $2 sent after
SELECT
    (
        SELECT count(*) FROM messages INDEXED BY messages_waiting
        WHERE reseller = $1 AND state IN ('accepted', 'scheduled', 'deferred')
    ) + (
        SELECT count(*) FROM attempts INDEXED BY attempts_open WHERE reseller = $1 AND end_time IS NULL
    ) AS queued_messages,
    (
        SELECT coalesce(sum(recipient_count), 0) FROM messages INDEXED BY messages_sent
        WHERE reseller = $1 AND state = 'sent' AND end_time > $2
    ) AS recipients_last_day
