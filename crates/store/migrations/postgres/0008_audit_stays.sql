-- Nothing is taken out of the audit by emptying its table either.
CREATE TRIGGER audit_events_stay_all BEFORE TRUNCATE ON audit_events FOR EACH STATEMENT
EXECUTE FUNCTION audit_events_stay();
