-- A test mail, SENDING with its first attempt open. A lane, if there is one, looks after it once its deadline is over.
-- $1 reseller, $2 message_id, $3 priority, $4 expire_time, $5 create_time, $6 request_id, $7 internet_message_id,
-- $8 subject, $9 recipient_count, $10 labels, $11 body, $12 number, $13 mailbox, $14 start_time, $15 call_deadline,
-- $16 content_hash
INSERT INTO messages (
    reseller, message_id, state, is_test, priority, policy, due_time, expire_time, create_time, update_time, attempts,
    request_id, internet_message_id, subject, recipient_count, labels
)
VALUES ($1, $2, 'sending', 1, $3, 'at_most_once', $14, $4, $5, $14, $12, $6, $7, $8, $9, $10);
INSERT INTO contents (reseller, message_id, body) VALUES ($1, $2, $11);
INSERT INTO attempts (reseller, message_id, number, mailbox, start_time, call_deadline)
VALUES ($1, $2, $12, $13, $14, $15);
INSERT INTO request_keys (reseller, request_id, message_id, content_hash, create_time)
SELECT $1, $6, $2, $16, $5 WHERE $6 IS NOT NULL;
UPDATE lanes SET due_time = min(coalesce(due_time, $15), $15) WHERE reseller = $1;
