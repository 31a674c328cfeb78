-- Resellers with something to destroy, the longest due first.
-- $1 began before, $2 limit
SELECT reseller, min(change_time) AS change_time FROM credential_changes WHERE change_time < $1
GROUP BY reseller ORDER BY min(change_time) LIMIT $2
