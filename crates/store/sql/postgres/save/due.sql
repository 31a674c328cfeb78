-- When lanes have work again, none before the time given: its next message, not before the lane's wait, the hold's probe
-- and the next look at its pace, and never while it is paused; while it is stopped, the next that was scheduled, to be told as HELD; the next expiry; the deadline of an attempt that somebody must resolve. (SQLite has a view
-- for it.) Each part is the first row of an index; greatest() passes over what is null. Where it is one reseller, each part
-- names it, or Citus would ask every shard.
-- $1 reseller, $2 not before, or null
WITH given (reseller, not_before) AS (VALUES /*each*/($1, $2)/*each*/)
UPDATE resellers AS r SET due_time = (
    SELECT greatest(min(work.t), given.not_before) FROM (
        SELECT greatest(min(w.due_time), r.wait_until, r.hold_probe_time, r.pace_look_time) AS t
        FROM (
            (SELECT m.due_time FROM messages AS m
            WHERE m.reseller = r.reseller /*alone*/AND m.reseller = $1/*alone*/
                AND m.state IN ('accepted', 'scheduled', 'deferred') AND m.priority = 0
            ORDER BY m.due_time LIMIT 1)
            UNION ALL
            (SELECT m.due_time FROM messages AS m
            WHERE m.reseller = r.reseller /*alone*/AND m.reseller = $1/*alone*/
                AND m.state IN ('accepted', 'scheduled', 'deferred') AND m.priority = 1
            ORDER BY m.due_time LIMIT 1)
            UNION ALL
            (SELECT m.due_time FROM messages AS m
            WHERE m.reseller = r.reseller /*alone*/AND m.reseller = $1/*alone*/
                AND m.state IN ('accepted', 'scheduled', 'deferred') AND m.priority = 2
            ORDER BY m.due_time LIMIT 1)
        ) AS w
        WHERE r.pause_time IS NULL
        HAVING min(w.due_time) IS NOT NULL
        UNION ALL
        (SELECT m.due_time FROM messages AS m
        WHERE m.reseller = r.reseller /*alone*/AND m.reseller = $1/*alone*/ AND m.state = 'scheduled'
            AND (r.pause_time IS NOT NULL OR r.hold_code IS NOT NULL)
        ORDER BY m.due_time LIMIT 1)
        UNION ALL
        (SELECT m.expire_time FROM messages AS m
        WHERE m.reseller = r.reseller /*alone*/AND m.reseller = $1/*alone*/
            AND m.state IN ('accepted', 'scheduled', 'deferred')
        ORDER BY m.expire_time LIMIT 1)
        UNION ALL
        SELECT min(a.call_deadline) FROM attempts AS a
        WHERE a.reseller = r.reseller /*alone*/AND a.reseller = $1/*alone*/ AND a.end_time IS NULL
    ) AS work
    HAVING min(work.t) IS NOT NULL
)
FROM given
WHERE r.reseller = given.reseller AND r.revision IS NOT NULL
