-- $1 reseller, $2 token, $3 no message before, or null
UPDATE lanes SET wait_until = max(coalesce(wait_until, $3), $3)
WHERE reseller = $1 AND lease_token = $2 AND $3 IS NOT NULL;
UPDATE lanes
SET lease_token = NULL, lease_until = NULL,
    due_time = (SELECT due_time FROM lanes_work AS work WHERE work.reseller = lanes.reseller)
WHERE reseller = $1 AND lease_token = $2
