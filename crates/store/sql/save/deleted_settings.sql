-- $1 reseller
DELETE FROM settings WHERE reseller IN (/*each*/$1/*each*/)
