-- As `lease/take.sql` tells it, while the token holds the lane.
-- $1 reseller, $2 token
SELECT
    l.mailbox, l.hold_code, l.hold_class, l.hold_evidence, l.hold_probe_time, l.hold_probes,
    s.pace_concurrency, s.pace_messages_per_minute, s.pace_recipients_per_day
FROM lanes AS l
JOIN settings AS s ON s.reseller = l.reseller
WHERE l.reseller = $1 AND l.lease_token = $2
