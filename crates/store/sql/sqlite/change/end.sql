-- $1 reseller, $2 began before
DELETE FROM credential_changes WHERE reseller = $1 AND change_id = '' AND change_time < $2
