-- $1 reseller, $2 hold_code, $3 hold_class, $4 hold_evidence, $5 hold_probe_time, $6 hold_probes
UPDATE lanes
SET hold_code = $2, hold_class = $3, hold_evidence = $4, hold_probe_time = $5, hold_probes = $6
WHERE reseller = $1
