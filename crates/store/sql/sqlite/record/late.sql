-- News of an attempt that was resolved before: appended, nothing overwritten, but that a 202 is kept before any other.
-- $1 reseller, $2 message_id, $3 number, $4 time, $5 outcome, $6 graph_request_id
UPDATE attempts SET late_time = $4, late_outcome = $5, late_graph_request_id = $6
WHERE reseller = $1 AND message_id = $2 AND number = $3
    AND (late_outcome IS NULL OR (late_outcome <> 'sent' AND $5 = 'sent'))
