-- How much of `wait_until` Microsoft asked for: the rest is our own guess, which a person may end.
ALTER TABLE resellers ADD COLUMN asked_until INTEGER;
UPDATE resellers SET asked_until = wait_until;
