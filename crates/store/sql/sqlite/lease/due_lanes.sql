-- The one statement of the hot path that crosses resellers: a read, by the due index.
-- $1 now, $2 limit
SELECT reseller, mailbox FROM lanes INDEXED BY lanes_due
WHERE due_time <= $1 AND (lease_until IS NULL OR lease_until <= $1)
ORDER BY due_time
LIMIT $2
