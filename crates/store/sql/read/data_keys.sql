-- $1 after this reseller, $2 limit
SELECT reseller, data_key FROM resellers WHERE reseller > $1 AND data_key IS NOT NULL ORDER BY reseller LIMIT $2
