-- The events of a chain are numbered without a gap, each follows the hash of the one before it, and the last is where the chain
-- ends. (Whether an event says what it said when it was written, `postrider audit` tells.)
-- $1 limit
SELECT e.reseller, CAST(NULL AS BYTEA) AS message_id, 'has an audit event that does not follow the one before it' AS found
FROM audit_events AS e
LEFT JOIN audit_events AS p ON p.reseller = e.reseller AND p.number = e.number - 1
WHERE e.number > 1 AND (p.hash IS NULL OR p.hash <> e.previous_hash)
UNION ALL
SELECT c.reseller, CAST(NULL AS BYTEA), 'has an audit chain that ends with another event than its last'
FROM audit_chains AS c
LEFT JOIN audit_events AS e ON e.reseller = c.reseller AND e.number = c.last_number
WHERE c.last_number > 0 AND (e.hash IS NULL OR e.hash <> c.last_hash)
UNION ALL
SELECT e.reseller, CAST(NULL AS BYTEA), 'has an audit event after the end of its chain'
FROM audit_events AS e
LEFT JOIN audit_chains AS c ON c.reseller = e.reseller
WHERE c.last_number IS NULL OR c.last_number < e.number
LIMIT $1
