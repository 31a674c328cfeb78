-- Of some resellers, from the newest to the oldest. Their own chains are read, however long those of others are.
-- $1 resellers (JSON array), $2 not before this time, $3 … $5 before this time, reseller and number, $6 limit
SELECT
    e.reseller, e.number, e.time, e.actor, e.action, e.source_address, e.details, e.previous_hash, e.hash
FROM jsonb_array_elements_text($1::text::jsonb) AS wanted (reseller)
CROSS JOIN LATERAL (
    SELECT *
    FROM audit_events AS o
    WHERE o.reseller = wanted.reseller AND o.time >= $2 AND (o.time, o.reseller, o.number) < ($3, $4, $5)
    ORDER BY o.number DESC
    LIMIT $6
) AS e
ORDER BY e.time DESC, e.reseller DESC, e.number DESC
LIMIT $6
