-- Of all chains, from the newest to the oldest.
-- $1 not before this time, $2 … $4 before this time, reseller and number, $5 limit
SELECT reseller, number, time, actor, action, source_address, details, previous_hash, hash
FROM audit_events
WHERE time >= $1 AND (time, reseller, number) < ($2, $3, $4)
ORDER BY time DESC, reseller DESC, number DESC
LIMIT $5
