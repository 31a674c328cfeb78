-- The attempt, its message, and what of its lane may still be changed by it.
-- Settings put during the attempt are others, also where the attempt's row was written after them: its token was older.
-- $1 reseller, $2 message_id, $3 number, $4 end_time
SELECT
    a.end_time, a.outcome,
    m.state, m.in_doubt, m.is_test,
    l.lease_token IS NOT NULL AND l.lease_token IS a.lease_token AS has_token,
    l.mailbox IS a.mailbox AS same_mailbox,
    s.revision IS a.settings_revision AND NOT (s.update_time > a.start_time AND s.update_time <= $4) AS same_settings,
    l.hold_code
FROM attempts AS a
JOIN messages AS m ON m.reseller = a.reseller AND m.message_id = a.message_id
LEFT JOIN lanes AS l ON l.reseller = a.reseller
LEFT JOIN settings AS s ON s.reseller = a.reseller
WHERE a.reseller = $1 AND a.message_id = $2 AND a.number = $3
