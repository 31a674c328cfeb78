-- Calls of test mails of resellers without a lane, past their deadline: nobody else resolves them.
-- $1 now, $2 limit
SELECT a.reseller, a.message_id, a.number
FROM attempts AS a INDEXED BY attempts_open
JOIN resellers AS r ON r.reseller = a.reseller
WHERE a.end_time IS NULL AND a.call_deadline <= $1 AND r.revision IS NULL
LIMIT $2
