-- What stands in the way of a deletion: calls in flight, test mails' too, and waiting messages, with and without doubt.
-- $1 reseller
SELECT
    (SELECT count(*) FROM attempts INDEXED BY attempts_open WHERE reseller = $1 AND end_time IS NULL) AS in_flight,
    count(*) AS waiting,
    coalesce(sum(in_doubt), 0) AS in_doubt
FROM messages INDEXED BY messages_waiting
WHERE reseller = $1 AND state IN ('accepted', 'scheduled', 'deferred')
