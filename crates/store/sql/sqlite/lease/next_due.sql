-- The first due lane that nobody holds, or the first lease with work that runs out.
-- $1 resellers to pass over (JSON array)
SELECT min(t) FROM (
    SELECT * FROM (
        SELECT due_time AS t FROM lanes INDEXED BY lanes_due
        WHERE due_time IS NOT NULL AND lease_until IS NULL AND reseller NOT IN (SELECT value FROM json_each($1))
        ORDER BY due_time
        LIMIT 1
    )
    UNION ALL
    SELECT min(max(lease_until, due_time)) FROM lanes INDEXED BY lanes_leased
    WHERE lease_until IS NOT NULL AND due_time IS NOT NULL AND reseller NOT IN (SELECT value FROM json_each($1))
)
