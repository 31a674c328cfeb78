-- All of a reseller's.
-- $1 reseller
SELECT reseller, change_id, change_time FROM credential_changes WHERE reseller IN (/*each*/$1/*each*/)
