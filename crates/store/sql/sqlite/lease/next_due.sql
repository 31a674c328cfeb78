-- The first due lane that nobody holds, or the first lease to run out.
SELECT min(t) FROM (
    SELECT * FROM (
        SELECT due_time AS t FROM lanes INDEXED BY lanes_due
        WHERE due_time IS NOT NULL AND lease_until IS NULL
        ORDER BY due_time
        LIMIT 1
    )
    UNION ALL
    SELECT min(lease_until) FROM lanes INDEXED BY lanes_leased WHERE lease_until IS NOT NULL
)
