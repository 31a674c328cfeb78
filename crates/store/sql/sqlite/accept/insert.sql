-- A message, its content, its key if it has one, and its lane's due time. A held or waiting lane is due no sooner for it,
-- but for its expiry.
-- $1 reseller, $2 message_id, $3 state, $4 priority, $5 policy, $6 due_time, $7 expire_time, $8 send_time,
-- $9 create_time, $10 request_id, $11 internet_message_id, $12 subject, $13 recipient_count, $14 labels, $15 body,
-- $16 content_hash
INSERT INTO messages (
    reseller, message_id, state, is_test, priority, policy, due_time, expire_time, send_time, create_time, update_time,
    request_id, internet_message_id, subject, recipient_count, labels
)
VALUES ($1, $2, $3, 0, $4, $5, $6, $7, $8, $9, $9, $10, $11, $12, $13, $14);
INSERT INTO contents (reseller, message_id, body) VALUES ($1, $2, $15);
INSERT INTO request_keys (reseller, request_id, message_id, content_hash, create_time)
SELECT $1, $10, $2, $16, $9 WHERE $10 IS NOT NULL;
UPDATE lanes
SET due_time = min(coalesce(due_time, $7), $7, max($6, coalesce(wait_until, 0), coalesce(hold_probe_time, 0)))
WHERE reseller = $1
    AND (due_time IS NULL OR due_time > $7
        OR due_time > max($6, coalesce(wait_until, 0), coalesce(hold_probe_time, 0)));
