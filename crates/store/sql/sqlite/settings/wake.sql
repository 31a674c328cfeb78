-- $1 reseller
UPDATE lanes SET due_time = (SELECT due_time FROM lanes_work AS work WHERE work.reseller = lanes.reseller)
WHERE reseller = $1
