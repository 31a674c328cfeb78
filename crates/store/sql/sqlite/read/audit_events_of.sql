-- Of some resellers, from the newest to the oldest. Their own chains are read, however long those of others are.
-- $1 resellers (JSON array), $2 not before this time, $3 … $5 before this time, reseller and number, $6 limit
SELECT
    e.reseller, e.number, e.time, e.actor, e.action, e.source_address, e.details, e.previous_hash, e.hash
FROM json_each($1) AS wanted
CROSS JOIN audit_events AS e ON e.reseller = wanted.value
WHERE e.time >= $2 AND (e.time, e.reseller, e.number) < ($3, $4, $5)
ORDER BY e.time DESC, e.reseller DESC, e.number DESC
LIMIT $6
