-- $1 reseller, $2 mailbox, $3 hour
DELETE FROM recipient_hours WHERE (reseller, mailbox, hour) IN (VALUES /*each*/($1, $2, $3)/*each*/)
