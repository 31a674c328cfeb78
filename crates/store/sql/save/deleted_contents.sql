-- $1 reseller
DELETE FROM contents WHERE reseller IN (/*each*/$1/*each*/)
