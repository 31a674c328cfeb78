-- $1 reseller, $2 number
DELETE FROM events WHERE (reseller, number) IN (VALUES /*each*/($1, $2)/*each*/)
