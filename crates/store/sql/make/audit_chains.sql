-- A chain that has no event yet: it begins after 32 zeros.
-- $1 reseller, or empty; $2 the hash before the first
INSERT INTO audit_chains (reseller, last_number, last_time, last_hash)
VALUES /*each*/($1, 0, 0, $2)/*each*/
ON CONFLICT (reseller) DO NOTHING
