-- $1 reseller, or empty; $2 … $4 its last event's number, time and hash
INSERT INTO audit_chains (reseller, last_number, last_time, last_hash)
VALUES /*each*/($1, $2, $3, $4)/*each*/
ON CONFLICT (reseller) DO UPDATE SET
    last_number = excluded.last_number, last_time = excluded.last_time, last_hash = excluded.last_hash
