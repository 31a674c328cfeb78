-- What the mailbox's pace allows is told apart from what Microsoft asked for: it ends with the limits that it was counted by.
-- No message is tried before `pace_until`, by the limits of then; `pace_look_time` is when they are looked at again.
DROP VIEW lanes_work;
ALTER TABLE resellers ADD COLUMN pace_until INTEGER;
ALTER TABLE resellers ADD COLUMN pace_look_time INTEGER;

-- When a lane has work again, in one place: its next message, not before the lane's wait, the hold's probe and the
-- next look at its pace, and never while it is paused; the next expiry; the deadline of an attempt that somebody must resolve.
CREATE VIEW lanes_work AS
SELECT
    l.reseller,
    (
        SELECT min(t) FROM (
            SELECT max(
                min(w.due_time), coalesce(l.wait_until, 0), coalesce(l.hold_probe_time, 0), coalesce(l.pace_look_time, 0)
            ) AS t
            FROM (
                SELECT min(due_time) AS due_time FROM messages
                WHERE reseller = l.reseller AND state IN ('accepted', 'scheduled', 'deferred') AND priority = 0
                UNION ALL
                SELECT min(due_time) FROM messages
                WHERE reseller = l.reseller AND state IN ('accepted', 'scheduled', 'deferred') AND priority = 1
                UNION ALL
                SELECT min(due_time) FROM messages
                WHERE reseller = l.reseller AND state IN ('accepted', 'scheduled', 'deferred') AND priority = 2
            ) AS w
            WHERE l.pause_time IS NULL
            UNION ALL
            SELECT min(expire_time) FROM messages
            WHERE reseller = l.reseller AND state IN ('accepted', 'scheduled', 'deferred')
            UNION ALL
            SELECT min(call_deadline) FROM attempts INDEXED BY attempts_open
            WHERE reseller = l.reseller AND end_time IS NULL
        )
    ) AS due_time
FROM resellers AS l
WHERE l.revision IS NOT NULL;
