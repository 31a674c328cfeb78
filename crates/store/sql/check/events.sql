-- Events are numbered without a gap to the last one; of those of the last hour none has been purged.
-- $1 limit, $2 now
SELECT
    r.reseller, CAST(NULL AS BYTEA) AS message_id,
    'has ' || count(e.number) || ' events from number ' || f.first || ', and the last is number ' || r.last_event AS found
FROM (
    SELECT reseller, min(number) AS first FROM events WHERE time > $2 - 3600000000 GROUP BY reseller
) AS f
JOIN resellers AS r ON r.reseller = f.reseller
JOIN events AS e ON e.reseller = f.reseller AND e.number >= f.first
GROUP BY r.reseller, f.first, r.last_event
HAVING count(e.number) <> r.last_event - f.first + 1 OR max(e.number) <> r.last_event
LIMIT $1
