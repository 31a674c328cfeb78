INSERT INTO audit_events (reseller, number, time, actor, action, source_address, details, previous_hash, hash)
VALUES /*each*/($1, $2, $3, $4, $5, $6, $7, $8, $9)/*each*/
