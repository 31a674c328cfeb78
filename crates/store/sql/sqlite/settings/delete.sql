-- The lane goes with the settings; the history and the request keys stay.
-- $1 reseller, $2 now
UPDATE messages SET state = 'cancelled', end_time = $2, update_time = $2
WHERE reseller = $1 AND state IN ('accepted', 'scheduled', 'deferred');
DELETE FROM contents WHERE reseller = $1;
DELETE FROM sealed_credentials WHERE reseller = $1;
DELETE FROM lanes WHERE reseller = $1;
DELETE FROM settings WHERE reseller = $1
