-- $1 reseller
SELECT reseller, mailbox, hour, recipients FROM recipient_hours WHERE reseller IN (/*each*/$1/*each*/)
