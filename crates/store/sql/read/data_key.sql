SELECT data_key FROM resellers WHERE reseller = $1
