-- How many lanes are in each state. What stops a lane longest is its state.
-- $1 now
SELECT state, count(*) AS lanes
FROM (
    SELECT CASE
        WHEN pause_time IS NOT NULL THEN 'paused'
        WHEN hold_code IS NOT NULL THEN 'held'
        WHEN wait_until > $1 THEN 'throttled'
        WHEN lease_until > $1 THEN 'busy'
        ELSE 'ready'
    END AS state
    FROM resellers
    WHERE revision IS NOT NULL
) AS lanes
GROUP BY state
