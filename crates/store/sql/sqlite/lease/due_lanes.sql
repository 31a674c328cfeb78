-- The one statement of the hot path that crosses resellers: a read, by the due index.
-- $1 now, $2 limit, $3 resellers to pass over (JSON array)
SELECT reseller, mailbox FROM lanes INDEXED BY lanes_due
WHERE due_time <= $1 AND (lease_until IS NULL OR lease_until <= $1)
    AND reseller NOT IN (SELECT value FROM json_each($3))
ORDER BY due_time
LIMIT $2
