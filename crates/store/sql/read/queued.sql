-- Of all resellers.
SELECT
    CAST(coalesce(sum(queued_messages), 0) AS BIGINT) AS messages,
    CAST(coalesce(sum(queued_bytes), 0) AS BIGINT) AS bytes
FROM resellers
WHERE queued_messages > 0
