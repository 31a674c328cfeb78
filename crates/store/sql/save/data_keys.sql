-- $1 reseller, $2 its data key, or null
UPDATE resellers SET data_key = $2 WHERE reseller = $1
