-- The first due lane that nobody holds, or the first lease with work that runs out.
-- $1 resellers to pass over, $2 clouds to pass over (JSON arrays)
SELECT min(t) AS next_due FROM (
    SELECT * FROM (
        SELECT due_time AS t FROM resellers INDEXED BY resellers_due
        WHERE due_time IS NOT NULL AND lease_until IS NULL
            AND reseller NOT IN (SELECT value FROM json_each($1))
            AND cloud NOT IN (SELECT value FROM json_each($2))
        ORDER BY due_time
        LIMIT 1
    ) AS free
    UNION ALL
    SELECT min(max(lease_until, due_time)) FROM resellers INDEXED BY resellers_leased
    WHERE lease_until IS NOT NULL AND due_time IS NOT NULL
        AND reseller NOT IN (SELECT value FROM json_each($1))
        AND cloud NOT IN (SELECT value FROM json_each($2))
) AS both_kinds
