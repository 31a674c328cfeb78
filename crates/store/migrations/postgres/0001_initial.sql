-- Everything Postrider keeps, for replicas that share it. As in SQLite: times are microseconds since 1970 (UTC), findings are
-- a code, a class and their evidence as a JSON object, maps and lists are JSON text. The state checks are the same too.
--
-- Every key of a reseller's begins with the reseller, so that all tables but `meta` and `access_keys` distribute by it
-- (deploy/citus.sql). Slugs compare by their bytes.

-- What the database is: kind is 'real' or 'sandbox'.
CREATE TABLE meta (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- One row a reseller: its counters, the status of its settings, and its lane. Every transaction takes it first, which makes it
-- the lock of all that is the reseller's. Its pages have room, for its rows change all the time.
CREATE TABLE resellers (
    reseller TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    last_revision BIGINT NOT NULL,
    last_event BIGINT NOT NULL,
    queued_messages BIGINT NOT NULL CHECK (queued_messages >= 0),
    queued_bytes BIGINT NOT NULL CHECK (queued_bytes >= 0),
    signal BIGINT NOT NULL,
    revision BIGINT,
    mailbox TEXT,
    cloud TEXT,
    pace_concurrency BIGINT,
    pace_messages_per_minute BIGINT,
    pace_recipients_per_day BIGINT,
    works BOOLEAN NOT NULL,
    finding_code TEXT,
    finding_class TEXT,
    finding_evidence TEXT,
    pause_time BIGINT,
    pause_reason TEXT,
    hold_code TEXT,
    hold_class TEXT,
    hold_evidence TEXT,
    hold_probe_time BIGINT,
    hold_probes BIGINT,
    wait_until BIGINT,
    due_time BIGINT,
    lease_token BYTEA CHECK (length(lease_token) = 16),
    lease_until BIGINT,
    CHECK ((revision IS NULL) = (mailbox IS NULL) AND (revision IS NULL) = (cloud IS NULL)),
    CHECK (revision IS NOT NULL OR (due_time IS NULL AND lease_token IS NULL)),
    CHECK ((lease_token IS NULL) = (lease_until IS NULL)),
    CHECK ((pause_time IS NULL) = (pause_reason IS NULL)),
    CHECK ((finding_code IS NULL) = (finding_class IS NULL) AND (finding_code IS NULL) = (finding_evidence IS NULL)),
    CHECK (
        (hold_code IS NULL) = (hold_class IS NULL) AND (hold_code IS NULL) = (hold_evidence IS NULL)
        AND (hold_code IS NULL) = (hold_probe_time IS NULL) AND (hold_code IS NULL) = (hold_probes IS NULL)
    )
) WITH (fillfactor = 50);

CREATE INDEX resellers_due ON resellers (due_time) WHERE due_time IS NOT NULL;
CREATE INDEX resellers_leased ON resellers (lease_until) WHERE lease_until IS NOT NULL;

CREATE TABLE settings (
    reseller TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    revision BIGINT NOT NULL,
    directory TEXT NOT NULL,
    client TEXT NOT NULL,
    mailbox TEXT NOT NULL,
    cloud TEXT NOT NULL,
    send_as TEXT NOT NULL,
    pace_concurrency BIGINT,
    pace_messages_per_minute BIGINT,
    pace_recipients_per_day BIGINT,
    labels TEXT NOT NULL,
    credential_kind TEXT NOT NULL,
    credential_fingerprint TEXT NOT NULL,
    credential_version TEXT NOT NULL,
    credential_create_time BIGINT NOT NULL,
    credential_expire_time BIGINT,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL
);

CREATE TABLE sealed_credentials (
    reseller TEXT COLLATE "C" NOT NULL,
    version TEXT NOT NULL,
    ciphertext BYTEA NOT NULL,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (reseller, version)
);

-- Changes of credentials that began: settings and credential lie in two places that no transaction spans. A row is
-- written before the credential is put, and stays until what the settings do not name is destroyed.
CREATE TABLE credential_changes (
    reseller TEXT COLLATE "C" NOT NULL,
    -- The put's id, which is part of the version's name; empty: a deletion.
    change_id TEXT NOT NULL,
    change_time BIGINT NOT NULL,
    PRIMARY KEY (reseller, change_id)
);

CREATE INDEX credential_changes_due ON credential_changes (change_time);

CREATE TABLE messages (
    reseller TEXT COLLATE "C" NOT NULL,
    message_id BYTEA NOT NULL CHECK (length(message_id) = 16),
    -- HELD is never stored: it is how a waiting message reads while its lane is held or paused.
    state TEXT NOT NULL CHECK (state IN (
        'accepted', 'scheduled', 'sending', 'deferred', 'sent', 'outcome_unknown', 'failed', 'cancelled', 'expired'
    )),
    is_test BOOLEAN NOT NULL,
    priority BIGINT NOT NULL CHECK (priority BETWEEN 0 AND 2),
    policy TEXT NOT NULL CHECK (policy IN ('at_least_once', 'at_most_once')),
    due_time BIGINT NOT NULL,
    expire_time BIGINT NOT NULL,
    send_time BIGINT,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    end_time BIGINT,
    purge_time BIGINT,
    has_content BOOLEAN NOT NULL,
    content_bytes BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    backoffs BIGINT NOT NULL,
    in_doubt BOOLEAN NOT NULL,
    request_id TEXT,
    internet_message_id TEXT,
    subject TEXT NOT NULL,
    recipient_count BIGINT NOT NULL,
    labels TEXT NOT NULL,
    finding_code TEXT,
    finding_class TEXT,
    finding_evidence TEXT,
    PRIMARY KEY (reseller, message_id),
    CHECK ((finding_code IS NULL) = (finding_class IS NULL) AND (finding_code IS NULL) = (finding_evidence IS NULL)),
    CHECK ((end_time IS NULL) = (state IN ('accepted', 'scheduled', 'sending', 'deferred'))),
    CHECK (NOT is_test OR state NOT IN ('accepted', 'scheduled', 'deferred')),
    CHECK (has_content OR purge_time IS NULL),
    -- An unresolved doubt is never hidden.
    CHECK (NOT in_doubt OR state NOT IN ('sent', 'failed', 'cancelled', 'expired'))
);

-- In the order of the lane.
CREATE INDEX messages_waiting ON messages (reseller, priority, due_time, message_id)
    WHERE state IN ('accepted', 'scheduled', 'deferred');
CREATE INDEX messages_expiring ON messages (reseller, expire_time)
    WHERE state IN ('accepted', 'scheduled', 'deferred');
CREATE INDEX messages_purging ON messages (purge_time) WHERE purge_time IS NOT NULL;
CREATE INDEX messages_ended ON messages (end_time) WHERE end_time IS NOT NULL;

-- The moves of `MessageState::may_become`, as far as an end is left: for SENT by a late 202, for ACCEPTED by a retry.
CREATE FUNCTION messages_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an end state is left for SENT or by a retry only' USING ERRCODE = 'check_violation';
END
$$;
CREATE TRIGGER messages_moves BEFORE UPDATE OF state ON messages FOR EACH ROW
WHEN (NEW.state <> OLD.state AND (
    OLD.state = 'sent'
    OR (OLD.state IN ('outcome_unknown', 'failed', 'cancelled', 'expired') AND NEW.state NOT IN ('sent', 'accepted'))
))
EXECUTE FUNCTION messages_moves();

-- Apart from the state, so that the rows every statement touches stay small and purging is a deletion. Sealed or compressed
-- content does not compress again.
CREATE TABLE contents (
    reseller TEXT COLLATE "C" NOT NULL,
    message_id BYTEA NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (reseller, message_id)
);
ALTER TABLE contents ALTER COLUMN body SET STORAGE EXTERNAL;

CREATE TABLE request_keys (
    reseller TEXT COLLATE "C" NOT NULL,
    request_id TEXT COLLATE "C" NOT NULL,
    message_id BYTEA NOT NULL CHECK (length(message_id) = 16),
    content_hash BYTEA NOT NULL CHECK (length(content_hash) = 32),
    create_time BIGINT NOT NULL,
    expire_time BIGINT,
    PRIMARY KEY (reseller, request_id)
);
CREATE INDEX request_keys_expiring ON request_keys (expire_time) WHERE expire_time IS NOT NULL;

CREATE TABLE attempts (
    reseller TEXT COLLATE "C" NOT NULL,
    message_id BYTEA NOT NULL,
    number BIGINT NOT NULL CHECK (number >= 1),
    mailbox TEXT NOT NULL,
    lease_token BYTEA CHECK (length(lease_token) = 16),
    settings_revision BIGINT,
    start_time BIGINT NOT NULL,
    call_deadline BIGINT,
    end_time BIGINT,
    outcome TEXT CHECK (outcome IN ('sent', 'deferred', 'rejected', 'in_doubt')),
    finding_code TEXT,
    finding_class TEXT,
    finding_evidence TEXT,
    graph_request_id TEXT,
    late_time BIGINT,
    late_outcome TEXT CHECK (late_outcome IN ('sent', 'deferred', 'rejected', 'in_doubt')),
    late_graph_request_id TEXT,
    PRIMARY KEY (reseller, message_id, number),
    CHECK ((end_time IS NULL) = (outcome IS NULL)),
    CHECK ((late_time IS NULL) = (late_outcome IS NULL)),
    CHECK ((finding_code IS NULL) = (finding_class IS NULL) AND (finding_code IS NULL) = (finding_evidence IS NULL))
);
-- A message is SENDING while it has one.
CREATE UNIQUE INDEX attempts_open ON attempts (reseller, message_id) WHERE end_time IS NULL;
CREATE INDEX attempts_started ON attempts (reseller, start_time) WHERE call_deadline IS NOT NULL;

-- What changed, numbered by reseller without a gap. `position` is the transaction that wrote it: readers of all resellers take
-- what none still open can precede.
CREATE TABLE events (
    reseller TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL CHECK (number >= 1),
    position BIGINT NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    time BIGINT NOT NULL,
    message_id BYTEA CHECK (length(message_id) = 16),
    state TEXT NOT NULL CHECK (state IN (
        'accepted', 'scheduled', 'sending', 'deferred', 'held', 'sent', 'outcome_unknown', 'failed', 'cancelled',
        'expired'
    )),
    next_attempt_time BIGINT,
    attempts BIGINT NOT NULL,
    in_flight BOOLEAN NOT NULL,
    finding_code TEXT,
    finding_class TEXT,
    finding_evidence TEXT,
    PRIMARY KEY (reseller, number)
);
CREATE INDEX events_position ON events (position, reseller, number);

CREATE TABLE recipient_hours (
    reseller TEXT COLLATE "C" NOT NULL,
    mailbox TEXT NOT NULL,
    hour BIGINT NOT NULL,
    recipients BIGINT NOT NULL,
    PRIMARY KEY (reseller, mailbox, hour)
);

-- Callers' keys. Small, and of no one reseller.
CREATE TABLE access_keys (
    key_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    hash BYTEA NOT NULL CHECK (length(hash) = 32),
    scopes TEXT NOT NULL,
    resellers TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    expire_time BIGINT,
    last_use_time BIGINT,
    revoke_time BIGINT
);
