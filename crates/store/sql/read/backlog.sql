-- What has not ended, by the state that is seen, and since when the first of it is due. A message is SENDING while an
-- attempt of its is open.
-- $1 now, $2 whether for each reseller, or for all together
SELECT reseller, state, count(*) AS messages, min(due_time) AS first_due
FROM (
    SELECT
        CASE WHEN $2 THEN m.reseller END AS reseller,
        CASE
            WHEN (r.pause_time IS NOT NULL OR r.hold_code IS NOT NULL) AND (m.state <> 'scheduled' OR m.due_time <= $1)
                THEN 'held'
            ELSE m.state
        END AS state,
        m.due_time
    FROM resellers AS r
    JOIN messages AS m ON m.reseller = r.reseller
    WHERE r.queued_messages > 0 AND m.state IN ('accepted', 'scheduled', 'deferred')
    UNION ALL
    SELECT CASE WHEN $2 THEN a.reseller END, 'sending', a.start_time
    FROM attempts AS a
    WHERE a.end_time IS NULL
) AS seen
GROUP BY reseller, state
