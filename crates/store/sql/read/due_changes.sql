-- Resellers with something to destroy, the longest due first.
-- $1 all of it began before, $2 or the first of it long before, $3 limit
SELECT reseller, min(change_time) AS change_time FROM credential_changes GROUP BY reseller
HAVING max(change_time) < $1 OR min(change_time) < $2 ORDER BY min(change_time) LIMIT $3
