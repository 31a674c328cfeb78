-- INSERT OR REPLACE takes out what was there without a word to the triggers of DELETE.
CREATE TRIGGER audit_events_stand BEFORE INSERT ON audit_events
WHEN EXISTS (SELECT 1 FROM audit_events WHERE reseller = NEW.reseller AND number = NEW.number)
BEGIN
    SELECT RAISE(ABORT, 'an audit event is not replaced');
END;
