-- $1 reseller
DELETE FROM credential_changes WHERE reseller IN (/*each*/$1/*each*/)
