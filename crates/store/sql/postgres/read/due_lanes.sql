-- The one statement of the hot path that crosses resellers: a read without locks, by the due index.
-- $1 now, $2 limit, $3 resellers to pass over, $4 clouds to pass over (JSON arrays)
SELECT reseller, mailbox FROM resellers
WHERE due_time <= $1 AND (lease_until IS NULL OR lease_until <= $1)
    AND reseller <> ALL (ARRAY(SELECT jsonb_array_elements_text($3::jsonb)))
    AND cloud <> ALL (ARRAY(SELECT jsonb_array_elements_text($4::jsonb)))
ORDER BY due_time
LIMIT $2
