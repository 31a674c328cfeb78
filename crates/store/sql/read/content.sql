-- $1 reseller, $2 message_id
SELECT c.body, m.internet_message_id, m.create_time
FROM contents AS c
JOIN messages AS m ON m.reseller = c.reseller AND m.message_id = c.message_id
WHERE c.reseller = $1 AND c.message_id = $2
