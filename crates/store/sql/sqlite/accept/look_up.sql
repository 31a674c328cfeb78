-- What an acceptance depends on, in one row: the request's first message, the settings, the lane.
-- $1 reseller, $2 request_id
SELECT
    k.message_id, k.content_hash,
    s.reseller IS NOT NULL AS has_settings,
    l.wait_until, l.hold_code, l.hold_class, l.hold_evidence, l.hold_probe_time, l.hold_probes
FROM (SELECT $1 AS reseller) AS r
LEFT JOIN request_keys AS k ON k.reseller = r.reseller AND k.request_id = $2
LEFT JOIN settings AS s ON s.reseller = r.reseller
LEFT JOIN lanes AS l ON l.reseller = r.reseller
