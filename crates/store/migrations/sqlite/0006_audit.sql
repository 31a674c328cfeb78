-- Who changed what, from where, in a chain of hashes: each event's covers all that it says and the hash before it. The reseller is
-- empty for what concerns none, or all. Nothing is ever changed in it, or taken out.
CREATE TABLE audit_events (
    reseller TEXT NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 1),
    time INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    source_address TEXT NOT NULL,
    details TEXT NOT NULL,
    previous_hash BLOB NOT NULL CHECK (length(previous_hash) = 32),
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (reseller, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX audit_events_time ON audit_events (time, reseller, number);

CREATE TRIGGER audit_events_stay BEFORE UPDATE ON audit_events
BEGIN
    SELECT RAISE(ABORT, 'an audit event is not changed');
END;

CREATE TRIGGER audit_events_are_kept BEFORE DELETE ON audit_events
BEGIN
    SELECT RAISE(ABORT, 'an audit event is not taken out');
END;

-- Where each chain ends.
CREATE TABLE audit_chains (
    reseller TEXT NOT NULL PRIMARY KEY,
    last_number INTEGER NOT NULL CHECK (last_number >= 0),
    last_time INTEGER NOT NULL,
    last_hash BLOB NOT NULL CHECK (length(last_hash) = 32)
) STRICT, WITHOUT ROWID;
