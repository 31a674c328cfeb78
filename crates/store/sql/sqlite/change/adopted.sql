-- $1 reseller, $2 the settings' new revision, $3 whether the credential was seen to work, which lifts the hold
UPDATE revisions SET revision = $2 WHERE reseller = $1;
UPDATE lanes
SET hold_code = NULL, hold_class = NULL, hold_evidence = NULL, hold_probe_time = NULL, hold_probes = NULL
WHERE reseller = $1 AND $3 AND hold_code <> 'SENDING_PAUSED';
UPDATE lanes SET due_time = (SELECT due_time FROM lanes_work AS work WHERE work.reseller = lanes.reseller)
WHERE reseller = $1 AND $3
