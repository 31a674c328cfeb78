-- Settings that work: READY, and the hold they caused is lifted. An operator's pause stays.
-- $1 reseller
UPDATE settings SET works = 1, finding_code = NULL, finding_class = NULL, finding_evidence = NULL
WHERE reseller = $1 AND (works = 0 OR finding_code IS NOT NULL);
UPDATE lanes
SET hold_code = NULL, hold_class = NULL, hold_evidence = NULL, hold_probe_time = NULL, hold_probes = NULL
WHERE reseller = $1 AND hold_code IS NOT NULL AND hold_code <> 'SENDING_PAUSED'
