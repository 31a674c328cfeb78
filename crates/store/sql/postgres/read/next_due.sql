-- The first due lane that nobody holds, or the first lease with work that runs out.
-- $1 resellers to pass over, $2 clouds to pass over (JSON arrays)
SELECT min(t) AS next_due FROM (
    SELECT * FROM (
        SELECT due_time AS t FROM resellers
        WHERE due_time IS NOT NULL AND lease_until IS NULL
            AND reseller <> ALL (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)))
            AND cloud <> ALL (ARRAY(SELECT jsonb_array_elements_text($2::jsonb)))
        ORDER BY due_time
        LIMIT 1
    ) AS free
    UNION ALL
    SELECT min(greatest(lease_until, due_time)) FROM resellers
    WHERE lease_until IS NOT NULL AND due_time IS NOT NULL
        AND reseller <> ALL (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)))
        AND cloud <> ALL (ARRAY(SELECT jsonb_array_elements_text($2::jsonb)))
) AS both_kinds
