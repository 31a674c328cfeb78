-- How much of `wait_until` Microsoft asked for: the rest is our own guess, which a person may end.
ALTER TABLE resellers ADD COLUMN asked_until bigint;
UPDATE resellers SET asked_until = wait_until WHERE wait_until IS NOT NULL;
-- What waits for a day with room for its recipients.
CREATE INDEX messages_set_aside ON messages (reseller, due_time) WHERE state = 'deferred' AND finding_code = 'DAILY_LIMIT';
