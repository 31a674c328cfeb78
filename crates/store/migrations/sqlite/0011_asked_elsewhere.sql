-- What Microsoft asked of mailboxes that the settings do not name now, and may name again: microseconds by mailbox, as JSON.
ALTER TABLE resellers ADD COLUMN asked_elsewhere text;
