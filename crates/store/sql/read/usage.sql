-- $1 reseller, $2 the first hour that counts
SELECT
    coalesce((SELECT queued_messages FROM resellers WHERE reseller = $1), 0) AS queued_messages,
    coalesce((SELECT queued_bytes FROM resellers WHERE reseller = $1), 0) AS queued_bytes,
    CAST(coalesce((
        SELECT sum(recipients) FROM recipient_hours WHERE reseller = $1 AND hour >= $2
    ), 0) AS BIGINT) AS recipients_last_day
