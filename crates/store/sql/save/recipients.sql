-- $1 reseller, $2 mailbox, $3 hour, $4 recipients to add
INSERT INTO recipient_hours (reseller, mailbox, hour, recipients)
VALUES /*each*/($1, $2, $3, $4)/*each*/
ON CONFLICT (reseller, mailbox, hour) DO UPDATE SET recipients = recipient_hours.recipients + excluded.recipients
