-- Who changed what, from where, in a chain of hashes: each event's covers all that it says and the hash before it. The reseller is
-- empty for what concerns none, or all. Nothing is ever changed in it, or taken out.
CREATE TABLE audit_events (
    reseller TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL CHECK (number >= 1),
    time BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    source_address TEXT NOT NULL,
    details TEXT NOT NULL,
    previous_hash BYTEA NOT NULL CHECK (length(previous_hash) = 32),
    hash BYTEA NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (reseller, number)
);
CREATE INDEX audit_events_time ON audit_events (time, reseller, number);

CREATE FUNCTION audit_events_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an audit event is neither changed nor taken out' USING ERRCODE = 'check_violation';
END
$$;
CREATE TRIGGER audit_events_stay BEFORE UPDATE OR DELETE ON audit_events FOR EACH ROW
EXECUTE FUNCTION audit_events_stay();

-- Where each chain ends. Whoever adds to it locks its row.
CREATE TABLE audit_chains (
    reseller TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    last_number BIGINT NOT NULL CHECK (last_number >= 0),
    last_time BIGINT NOT NULL,
    last_hash BYTEA NOT NULL CHECK (length(last_hash) = 32)
);
