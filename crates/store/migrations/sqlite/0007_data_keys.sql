-- The reseller's data key, wrapped by the local key: what its content and subjects are sealed by. It goes with the settings.
ALTER TABLE resellers ADD COLUMN data_key BLOB;
