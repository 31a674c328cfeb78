-- $1 limit
SELECT reseller, number, position, time FROM events ORDER BY position LIMIT $1
