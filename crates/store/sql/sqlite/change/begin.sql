-- $1 reseller, $2 the put's id, $3 now
INSERT INTO credential_changes (reseller, change_id, change_time) VALUES ($1, $2, $3)
ON CONFLICT (reseller, change_id) DO NOTHING
