-- What the mailbox's pace allows is told apart from what Microsoft asked for: it ends with the limits that it was counted by.
-- No message is tried before `pace_until`, by the limits of then; `pace_look_time` is when they are looked at again.
ALTER TABLE resellers ADD COLUMN pace_until bigint, ADD COLUMN pace_look_time bigint;
