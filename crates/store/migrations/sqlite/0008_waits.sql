-- A lane's event is about the messages that waited then, whatever has become of them since. `last_event` is the number of a
-- message's last event; an event that ended a wait (ACCEPTED or DEFERRED) says since which event and in which state it waited.
DROP VIEW lanes_work;
ALTER TABLE messages ADD COLUMN last_event INTEGER NOT NULL DEFAULT 0;
UPDATE messages SET last_event = told.number
FROM (
    SELECT reseller, message_id, max(number) AS number FROM events WHERE message_id IS NOT NULL GROUP BY reseller, message_id
) AS told
WHERE messages.state IN ('accepted', 'scheduled', 'sending', 'deferred')
    AND told.reseller = messages.reseller AND told.message_id = messages.message_id;
ALTER TABLE events ADD COLUMN waited_since INTEGER;
ALTER TABLE events ADD COLUMN waited_as TEXT CHECK (waited_as IN ('accepted', 'deferred'));
-- What comes due while its lane is stopped.
CREATE INDEX messages_scheduled ON messages (reseller, due_time) WHERE state = 'scheduled';

-- When a lane has work again, in one place: its next message, not before the lane's wait, the hold's probe and the
-- next look at its pace, and never while it is paused; while it is stopped, the
-- next that was scheduled, to be told as HELD; the next expiry; the deadline of an attempt that somebody must resolve.
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
            SELECT min(due_time) FROM messages INDEXED BY messages_scheduled
            WHERE reseller = l.reseller AND state = 'scheduled'
                AND (l.pause_time IS NOT NULL OR l.hold_code IS NOT NULL)
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
