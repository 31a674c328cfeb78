-- $1 reseller, $2 change_id, $3 change_time
INSERT INTO credential_changes (reseller, change_id, change_time) VALUES /*each*/($1, $2, $3)/*each*/
