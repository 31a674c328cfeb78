-- $1 reseller, or empty
SELECT reseller, last_number, last_time, last_hash FROM audit_chains WHERE reseller IN (/*each*/$1/*each*/)
