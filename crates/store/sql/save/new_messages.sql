-- A row a message, as it was accepted.
INSERT INTO messages (
    reseller, message_id, state, is_test, priority, policy, due_time, expire_time, send_time, create_time,
    update_time, has_content, content_bytes, attempts, backoffs, in_doubt, last_event, request_id, internet_message_id,
    subject, recipient_count, labels
)
VALUES /*each*/(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22
)/*each*/
