-- Which version the settings name.
-- $1 reseller
SELECT reseller, credential_version FROM settings WHERE reseller IN (/*each*/$1/*each*/)
