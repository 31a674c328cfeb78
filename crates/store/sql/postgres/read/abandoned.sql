-- Calls of test mails of resellers without a lane, past their deadline: nobody else resolves them.
-- The sum keeps the planner from the index of all calls that were ever made.
-- $1 now, $2 limit
SELECT a.reseller, a.message_id, a.number
FROM attempts AS a
JOIN resellers AS r ON r.reseller = a.reseller
WHERE a.end_time IS NULL AND a.call_deadline + 0 <= $1 AND r.revision IS NULL
LIMIT $2
