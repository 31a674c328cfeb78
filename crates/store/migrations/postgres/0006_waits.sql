-- A lane's event is about the messages that waited then, whatever has become of them since. `last_event` is the number of a
-- message's last event; an event that ended a wait (ACCEPTED or DEFERRED) says since which event and in which state it waited.
ALTER TABLE messages ADD COLUMN last_event bigint NOT NULL DEFAULT 0;
UPDATE messages SET last_event = told.number
FROM (
    SELECT reseller, message_id, max(number) AS number FROM events WHERE message_id IS NOT NULL GROUP BY reseller, message_id
) AS told
WHERE messages.state IN ('accepted', 'scheduled', 'sending', 'deferred')
    AND told.reseller = messages.reseller AND told.message_id = messages.message_id;
ALTER TABLE events
    ADD COLUMN waited_since bigint,
    ADD COLUMN waited_as text CHECK (waited_as IN ('accepted', 'deferred'));
-- What comes due while its lane is stopped.
CREATE INDEX messages_scheduled ON messages (reseller, due_time) WHERE state = 'scheduled';
