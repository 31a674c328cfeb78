-- The first event of a reseller that is kept, and the last there was.
-- $1 reseller
SELECT
    (SELECT min(number) FROM events WHERE reseller = $1) AS first_event,
    coalesce((SELECT last_event FROM resellers WHERE reseller = $1), 0) AS last_event
