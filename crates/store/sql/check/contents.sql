-- What is unfinished has its content, what has ended loses it some day, and content belongs to a message.
-- $1 limit
SELECT
    m.reseller, m.message_id,
    CASE
        WHEN m.has_content AND c.message_id IS NULL THEN 'has content that is not there'
        WHEN NOT m.has_content AND c.message_id IS NOT NULL THEN 'has content that it does not know of'
        WHEN m.end_time IS NULL AND NOT m.has_content THEN 'is unfinished and has no content'
        WHEN length(c.body) <> m.content_bytes
            THEN 'has content of ' || length(c.body) || ' bytes in place of ' || m.content_bytes
        ELSE 'has ended, and its content never goes'
    END AS found
FROM messages AS m
LEFT JOIN contents AS c ON c.reseller = m.reseller AND c.message_id = m.message_id
WHERE m.has_content <> (c.message_id IS NOT NULL)
    OR (m.end_time IS NULL AND NOT m.has_content)
    OR length(c.body) <> m.content_bytes
    OR (m.end_time IS NOT NULL AND m.has_content AND m.purge_time IS NULL)
UNION ALL
SELECT c.reseller, c.message_id, 'is not there, and its content is'
FROM contents AS c
WHERE NOT EXISTS (SELECT 1 FROM messages AS m WHERE m.reseller = c.reseller AND m.message_id = c.message_id)
LIMIT $1
