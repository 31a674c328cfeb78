-- Under the live token, for a message that waits: its row, and SENDING. Otherwise nothing.
-- $1 reseller, $2 token, $3 message_id, $4 number, $5 start_time, $6 call_deadline or null: no call is to be made
INSERT INTO attempts (
    reseller, message_id, number, mailbox, lease_token, settings_revision, start_time, call_deadline
)
SELECT l.reseller, m.message_id, $4, l.mailbox, $2, s.revision, $5, $6
FROM lanes AS l
JOIN settings AS s ON s.reseller = l.reseller
JOIN messages AS m ON m.reseller = l.reseller
WHERE l.reseller = $1 AND l.lease_token = $2
    AND m.message_id = $3 AND m.state IN ('accepted', 'scheduled', 'deferred')
ON CONFLICT DO NOTHING;
UPDATE messages SET state = 'sending', attempts = max(attempts, $4), update_time = $5
WHERE reseller = $1 AND message_id = $3 AND state IN ('accepted', 'scheduled', 'deferred')
    AND EXISTS (
        SELECT 1 FROM attempts
        WHERE reseller = $1 AND message_id = $3 AND number = $4 AND end_time IS NULL AND lease_token = $2
    )
