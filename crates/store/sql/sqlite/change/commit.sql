-- Nothing is changed where a deletion ended the change meanwhile. What was replaced is due from now on.
-- $1 reseller, $2 the put's id, $3 now
UPDATE credential_changes SET change_time = $3 WHERE reseller = $1 AND change_id = $2
