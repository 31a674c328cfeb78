-- When lanes have work again, none before the time given.
-- $1 reseller, $2 not before, or null
WITH given (reseller, not_before) AS (VALUES /*each*/($1, $2)/*each*/)
UPDATE resellers AS r SET due_time = max(work.due_time, coalesce(given.not_before, 0))
FROM given
JOIN lanes_work AS work ON work.reseller = given.reseller
WHERE r.reseller = given.reseller
