-- Whoever held a lane died with the process before: it is free, and due for what was left.
UPDATE resellers SET lease_token = NULL, lease_until = NULL
WHERE lease_token IS NOT NULL;
UPDATE resellers
SET due_time = (SELECT due_time FROM lanes_work AS work WHERE work.reseller = resellers.reseller)
WHERE revision IS NOT NULL
    AND due_time IS NOT (SELECT due_time FROM lanes_work AS work WHERE work.reseller = resellers.reseller);
