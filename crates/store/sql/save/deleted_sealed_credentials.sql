-- $1 reseller
DELETE FROM sealed_credentials WHERE reseller IN (/*each*/$1/*each*/)
