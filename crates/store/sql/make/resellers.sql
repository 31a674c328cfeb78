-- Whoever is not known yet.
-- $1 reseller
INSERT INTO resellers (reseller, last_revision, last_event, queued_messages, queued_bytes, signal, works)
VALUES /*each*/($1, 0, 0, 0, 0, 0, FALSE)/*each*/
ON CONFLICT (reseller) DO NOTHING
