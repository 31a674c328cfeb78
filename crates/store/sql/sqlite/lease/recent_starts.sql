-- Calls begun for the mailbox, test mails' too; not the attempts that never left.
-- $1 reseller, $2 mailbox, $3 after
SELECT start_time FROM attempts INDEXED BY attempts_started
WHERE reseller = $1 AND call_deadline IS NOT NULL AND start_time > $3 AND mailbox = $2
ORDER BY start_time
