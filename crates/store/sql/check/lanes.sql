-- What waits has a lane, and one that nobody holds is due for it: not after the message is, unless the lane waits, is paced or
-- is held, and not after an expiry, or the deadline of a call that somebody must resolve. A minute is left for who writes
-- meanwhile.
-- $1 limit, $2 now
SELECT w.reseller, w.message_id, w.found
FROM (
    SELECT
        m.reseller, m.message_id, m.due_time, m.expire_time AS end_by, r.pause_time, r.wait_until, r.hold_probe_time,
        r.pace_look_time, r.revision, r.lease_token, coalesce(r.due_time, 9223372036854775807) AS lane_due,
        CASE
            WHEN r.revision IS NULL THEN 'waits, and its reseller has no settings'
            ELSE 'waits, and its lane is not due for it'
        END AS found
    FROM messages AS m
    LEFT JOIN resellers AS r ON r.reseller = m.reseller
    WHERE m.state IN ('accepted', 'scheduled', 'deferred')
    UNION ALL
    SELECT
        a.reseller, a.message_id, a.call_deadline, a.call_deadline, NULL, NULL, NULL, NULL,
        r.revision, r.lease_token, coalesce(r.due_time, 9223372036854775807),
        'has an attempt in flight, and its lane is not due at the deadline'
    FROM attempts AS a
    JOIN resellers AS r ON r.reseller = a.reseller
    WHERE a.end_time IS NULL AND r.revision IS NOT NULL
) AS w
WHERE w.revision IS NULL
    OR (w.lease_token IS NULL AND w.lane_due > $2 + 60000000 AND (
        w.lane_due > w.end_by
        OR (w.pause_time IS NULL AND w.lane_due > w.due_time AND w.lane_due > coalesce(w.wait_until, 0)
            AND w.lane_due > coalesce(w.hold_probe_time, 0) AND w.lane_due > coalesce(w.pace_look_time, 0))
    ))
LIMIT $1
