-- What began before can no longer be committed, and is one thing to be destroyed.
-- $1 reseller, $2 began before
INSERT INTO credential_changes (reseller, change_id, change_time)
SELECT reseller, '', min(change_time) FROM credential_changes WHERE reseller = $1 AND change_time < $2 GROUP BY reseller
ON CONFLICT (reseller, change_id) DO UPDATE SET change_time = min(change_time, excluded.change_time);
DELETE FROM credential_changes WHERE reseller = $1 AND change_id <> '' AND change_time < $2
