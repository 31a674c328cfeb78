-- $1 reseller, $2 the first hour that counts
SELECT
    coalesce((SELECT queued_messages FROM resellers WHERE reseller = $1), 0) AS queued_messages,
    CAST(coalesce((
        SELECT sum(h.recipients)
        FROM recipient_hours AS h
        JOIN resellers AS r ON r.reseller = h.reseller AND r.mailbox = h.mailbox
        WHERE h.reseller = $1 AND h.hour >= $2
    ), 0) AS BIGINT) AS recipients_last_day
