-- $1 reseller, $2 until
UPDATE lanes SET wait_until = max(coalesce(wait_until, $2), $2) WHERE reseller = $1
