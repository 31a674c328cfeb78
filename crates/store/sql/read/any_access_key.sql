SELECT EXISTS (SELECT 1 FROM access_keys) AS any_key
