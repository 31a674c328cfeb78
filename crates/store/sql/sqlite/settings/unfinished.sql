-- What stands in the way of a deletion: calls in flight, test mails' too, and waiting messages.
-- $1 reseller
SELECT
    (SELECT count(*) FROM attempts INDEXED BY attempts_open WHERE reseller = $1 AND end_time IS NULL) AS in_flight,
    (
        SELECT count(*) FROM messages INDEXED BY messages_waiting
        WHERE reseller = $1 AND state IN ('accepted', 'scheduled', 'deferred')
    ) AS waiting
