-- From the newest to the oldest.
-- $1 resellers (JSON array; null: all, and what is nobody's), $2 not before this time, $3 … $5 before this time, reseller and
-- number, $6 limit
SELECT reseller, number, time, actor, action, source_address, details, previous_hash, hash
FROM audit_events
WHERE ($1 IS NULL OR reseller IN (SELECT value FROM json_each($1)))
    AND time >= $2 AND (time, reseller, number) < ($3, $4, $5)
ORDER BY time DESC, reseller DESC, number DESC
LIMIT $6
