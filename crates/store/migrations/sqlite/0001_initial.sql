-- Everything Postrider keeps. Times are microseconds since 1970 (UTC); findings are a code, a class and their evidence
-- as a JSON object. Every table of a reseller's has a key that begins with the reseller.

-- What the file is: kind is 'real' or 'sandbox'.
CREATE TABLE meta (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The number of a reseller's last settings. It outlives them, so that no etag comes twice.
CREATE TABLE revisions (
    reseller TEXT NOT NULL PRIMARY KEY,
    revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE settings (
    reseller TEXT NOT NULL PRIMARY KEY,
    revision INTEGER NOT NULL,
    directory TEXT NOT NULL,
    client TEXT NOT NULL,
    mailbox TEXT NOT NULL,
    cloud TEXT NOT NULL,
    send_as TEXT NOT NULL CHECK (json_valid(send_as)),
    pace_concurrency INTEGER,
    pace_messages_per_minute INTEGER,
    pace_recipients_per_day INTEGER,
    labels TEXT NOT NULL CHECK (json_valid(labels)),
    credential_kind TEXT NOT NULL,
    credential_fingerprint TEXT NOT NULL,
    credential_version TEXT NOT NULL,
    credential_create_time INTEGER NOT NULL,
    credential_expire_time INTEGER,
    -- A test or a mail showed that they work.
    works INTEGER NOT NULL CHECK (works IN (0, 1)),
    finding_code TEXT,
    finding_class TEXT,
    finding_evidence TEXT CHECK (json_valid(finding_evidence)),
    create_time INTEGER NOT NULL,
    update_time INTEGER NOT NULL,
    CHECK ((finding_code IS NULL) = (finding_class IS NULL) AND (finding_code IS NULL) = (finding_evidence IS NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE sealed_credentials (
    reseller TEXT NOT NULL,
    version TEXT NOT NULL,
    ciphertext BLOB NOT NULL,
    create_time INTEGER NOT NULL,
    PRIMARY KEY (reseller, version)
) STRICT, WITHOUT ROWID;

-- One lane a reseller, for its settings name one mailbox. Null due_time: nothing to do until somebody writes one.
CREATE TABLE lanes (
    reseller TEXT NOT NULL PRIMARY KEY REFERENCES settings (reseller) ON DELETE CASCADE,
    mailbox TEXT NOT NULL,
    due_time INTEGER,
    -- No message is tried before: a limit, an outage, or the mailbox's pace.
    wait_until INTEGER,
    hold_code TEXT,
    hold_class TEXT,
    hold_evidence TEXT CHECK (json_valid(hold_evidence)),
    hold_probe_time INTEGER,
    hold_probes INTEGER,
    lease_token BLOB CHECK (length(lease_token) = 16),
    lease_until INTEGER,
    CHECK ((lease_token IS NULL) = (lease_until IS NULL)),
    CHECK (
        (hold_code IS NULL) = (hold_class IS NULL) AND (hold_code IS NULL) = (hold_evidence IS NULL)
        AND (hold_code IS NULL) = (hold_probe_time IS NULL) AND (hold_code IS NULL) = (hold_probes IS NULL)
    )
) STRICT, WITHOUT ROWID;

CREATE INDEX lanes_due ON lanes (due_time) WHERE due_time IS NOT NULL;
CREATE INDEX lanes_leased ON lanes (lease_until) WHERE lease_until IS NOT NULL;

CREATE TABLE messages (
    reseller TEXT NOT NULL,
    message_id BLOB NOT NULL CHECK (length(message_id) = 16),
    -- HELD is never stored: it is how a waiting message reads while its lane is held.
    state TEXT NOT NULL CHECK (state IN (
        'accepted', 'scheduled', 'sending', 'deferred', 'sent', 'outcome_unknown', 'failed', 'cancelled', 'expired'
    )),
    -- A mail of TestSettings: no lane ever touches it.
    is_test INTEGER NOT NULL CHECK (is_test IN (0, 1)),
    priority INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 2),
    policy TEXT NOT NULL CHECK (policy IN ('at_least_once', 'at_most_once')),
    -- When it is tried, while it waits; then when it was.
    due_time INTEGER NOT NULL,
    expire_time INTEGER NOT NULL,
    send_time INTEGER,
    create_time INTEGER NOT NULL,
    update_time INTEGER NOT NULL,
    end_time INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    backoffs INTEGER NOT NULL DEFAULT 0,
    in_doubt INTEGER NOT NULL DEFAULT 0 CHECK (in_doubt IN (0, 1)),
    request_id TEXT,
    internet_message_id TEXT,
    subject TEXT NOT NULL,
    recipient_count INTEGER NOT NULL,
    labels TEXT NOT NULL CHECK (json_valid(labels)),
    finding_code TEXT,
    finding_class TEXT,
    finding_evidence TEXT CHECK (json_valid(finding_evidence)),
    PRIMARY KEY (reseller, message_id),
    CHECK ((finding_code IS NULL) = (finding_class IS NULL) AND (finding_code IS NULL) = (finding_evidence IS NULL)),
    CHECK ((end_time IS NULL) = (state IN ('accepted', 'scheduled', 'sending', 'deferred'))),
    CHECK (NOT is_test OR state NOT IN ('accepted', 'scheduled', 'deferred')),
    -- An unresolved doubt is never hidden.
    CHECK (NOT in_doubt OR state NOT IN ('sent', 'failed', 'cancelled', 'expired'))
) STRICT, WITHOUT ROWID;

-- In the order of the lane.
CREATE INDEX messages_waiting ON messages (reseller, priority, due_time, message_id)
    WHERE state IN ('accepted', 'scheduled', 'deferred');
CREATE INDEX messages_expiring ON messages (reseller, expire_time)
    WHERE state IN ('accepted', 'scheduled', 'deferred');
CREATE INDEX messages_sent ON messages (reseller, end_time, recipient_count) WHERE state = 'sent';

-- Nothing leaves SENT; an end is left for SENT only, by a late 202.
CREATE TRIGGER messages_moves BEFORE UPDATE OF state ON messages
WHEN NEW.state <> OLD.state AND NEW.state <> 'sent'
    AND OLD.state IN ('sent', 'outcome_unknown', 'failed', 'cancelled', 'expired')
BEGIN
    SELECT RAISE(ABORT, 'an end state is left for SENT only');
END;

-- Apart from the state, so that the rows every statement touches stay small and purging is a deletion.
CREATE TABLE contents (
    reseller TEXT NOT NULL,
    message_id BLOB NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (reseller, message_id),
    FOREIGN KEY (reseller, message_id) REFERENCES messages (reseller, message_id) ON DELETE CASCADE
) STRICT;

-- Kept at least 24 h from create_time, and 24 h from the message's end: they do not go with its history.
CREATE TABLE request_keys (
    reseller TEXT NOT NULL,
    request_id TEXT NOT NULL,
    message_id BLOB NOT NULL CHECK (length(message_id) = 16),
    content_hash BLOB NOT NULL CHECK (length(content_hash) = 32),
    create_time INTEGER NOT NULL,
    PRIMARY KEY (reseller, request_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempts (
    reseller TEXT NOT NULL,
    message_id BLOB NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 1),
    mailbox TEXT NOT NULL,
    -- Who started it; null: nobody who holds a lane.
    lease_token BLOB CHECK (length(lease_token) = 16),
    -- Of the settings it was started with; null: they were a candidate's.
    settings_revision INTEGER,
    start_time INTEGER NOT NULL,
    -- Null: no call was to be made.
    call_deadline INTEGER,
    end_time INTEGER,
    outcome TEXT CHECK (outcome IN ('sent', 'deferred', 'rejected', 'in_doubt')),
    finding_code TEXT,
    finding_class TEXT,
    finding_evidence TEXT CHECK (json_valid(finding_evidence)),
    graph_request_id TEXT,
    -- News that came after somebody else had resolved it.
    late_time INTEGER,
    late_outcome TEXT CHECK (late_outcome IN ('sent', 'deferred', 'rejected', 'in_doubt')),
    late_graph_request_id TEXT,
    PRIMARY KEY (reseller, message_id, number),
    FOREIGN KEY (reseller, message_id) REFERENCES messages (reseller, message_id) ON DELETE CASCADE,
    CHECK ((end_time IS NULL) = (outcome IS NULL)),
    CHECK ((late_time IS NULL) = (late_outcome IS NULL)),
    CHECK ((finding_code IS NULL) = (finding_class IS NULL) AND (finding_code IS NULL) = (finding_evidence IS NULL))
) STRICT, WITHOUT ROWID;

-- A message is SENDING while it has one.
CREATE UNIQUE INDEX attempts_open ON attempts (reseller, message_id) WHERE end_time IS NULL;
CREATE INDEX attempts_started ON attempts (reseller, start_time) WHERE call_deadline IS NOT NULL;

-- When a lane has work again, in one place: its next message, not before the lane's wait and the hold's probe; the next
-- expiry; the deadline of an attempt that somebody must resolve.
CREATE VIEW lanes_work AS
SELECT
    l.reseller,
    (
        SELECT min(t) FROM (
            SELECT max(min(w.due_time), coalesce(l.wait_until, 0), coalesce(l.hold_probe_time, 0)) AS t
            FROM (
                SELECT min(due_time) AS due_time FROM messages
                WHERE reseller = l.reseller AND state IN ('accepted', 'scheduled', 'deferred') AND priority = 0
                UNION ALL
                SELECT min(due_time) FROM messages
                WHERE reseller = l.reseller AND state IN ('accepted', 'scheduled', 'deferred') AND priority = 1
                UNION ALL
                SELECT min(due_time) FROM messages
                WHERE reseller = l.reseller AND state IN ('accepted', 'scheduled', 'deferred') AND priority = 2
            ) AS w
            UNION ALL
            SELECT min(expire_time) FROM messages
            WHERE reseller = l.reseller AND state IN ('accepted', 'scheduled', 'deferred')
            UNION ALL
            SELECT min(call_deadline) FROM attempts INDEXED BY attempts_open
            WHERE reseller = l.reseller AND end_time IS NULL
        )
    ) AS due_time
FROM lanes AS l;

-- Callers' keys. Small, and of no one reseller.
CREATE TABLE access_keys (
    key_id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    scopes TEXT NOT NULL CHECK (json_valid(scopes)),
    resellers TEXT NOT NULL CHECK (json_valid(resellers)),
    create_time INTEGER NOT NULL,
    expire_time INTEGER,
    last_use_time INTEGER,
    revoke_time INTEGER
) STRICT, WITHOUT ROWID;
