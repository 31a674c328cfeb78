-- $1 reseller, $2 token, $3 until
UPDATE lanes SET lease_until = $3 WHERE reseller = $1 AND lease_token = $2
