-- One row a reseller: its counters, the status of its settings, and its lane. Every write of a reseller's begins with it, which
-- makes it the reseller's lock where several replicas write. Beside it: events, recipients by the hour, and when things are
-- purged. Children lose their foreign keys: rows are written whole or not at all, and `check-store` says so.

DROP VIEW lanes_work;
DROP TRIGGER messages_moves;
DROP INDEX lanes_due;
DROP INDEX lanes_leased;
DROP INDEX messages_waiting;
DROP INDEX messages_expiring;
DROP INDEX messages_sent;
DROP INDEX attempts_open;
DROP INDEX attempts_started;
ALTER TABLE settings RENAME TO old_settings;
ALTER TABLE lanes RENAME TO old_lanes;
ALTER TABLE messages RENAME TO old_messages;
ALTER TABLE contents RENAME TO old_contents;
ALTER TABLE request_keys RENAME TO old_request_keys;
ALTER TABLE attempts RENAME TO old_attempts;

CREATE TABLE resellers (
    reseller TEXT NOT NULL PRIMARY KEY,
    -- Of the last settings and the last event there ever were: they outlive both, so that no number comes twice.
    last_revision INTEGER NOT NULL,
    last_event INTEGER NOT NULL,
    -- Of messages that have not ended.
    queued_messages INTEGER NOT NULL CHECK (queued_messages >= 0),
    queued_bytes INTEGER NOT NULL CHECK (queued_bytes >= 0),
    -- Grows with each change that others than its holder make to the lane.
    signal INTEGER NOT NULL,
    -- Of the saved settings. Null: there are none, and so no lane; then all below is null or 0.
    revision INTEGER,
    mailbox TEXT,
    cloud TEXT,
    pace_concurrency INTEGER,
    pace_messages_per_minute INTEGER,
    pace_recipients_per_day INTEGER,
    -- A test or a mail showed that the settings work.
    works INTEGER NOT NULL CHECK (works IN (0, 1)),
    finding_code TEXT,
    finding_class TEXT,
    finding_evidence TEXT CHECK (json_valid(finding_evidence)),
    -- An operator stopped the lane.
    pause_time INTEGER,
    pause_reason TEXT,
    hold_code TEXT,
    hold_class TEXT,
    hold_evidence TEXT CHECK (json_valid(hold_evidence)),
    hold_probe_time INTEGER,
    hold_probes INTEGER,
    -- No message is tried before: a limit, an outage, or the mailbox's pace.
    wait_until INTEGER,
    -- When the lane has work again; null: not until somebody writes some.
    due_time INTEGER,
    lease_token BLOB CHECK (length(lease_token) = 16),
    lease_until INTEGER,
    CHECK ((revision IS NULL) = (mailbox IS NULL) AND (revision IS NULL) = (cloud IS NULL)),
    CHECK (revision IS NOT NULL OR (due_time IS NULL AND lease_token IS NULL)),
    CHECK ((lease_token IS NULL) = (lease_until IS NULL)),
    CHECK ((pause_time IS NULL) = (pause_reason IS NULL)),
    CHECK ((finding_code IS NULL) = (finding_class IS NULL) AND (finding_code IS NULL) = (finding_evidence IS NULL)),
    CHECK (
        (hold_code IS NULL) = (hold_class IS NULL) AND (hold_code IS NULL) = (hold_evidence IS NULL)
        AND (hold_code IS NULL) = (hold_probe_time IS NULL) AND (hold_code IS NULL) = (hold_probes IS NULL)
    )
) STRICT, WITHOUT ROWID;

CREATE INDEX resellers_due ON resellers (due_time) WHERE due_time IS NOT NULL;
CREATE INDEX resellers_leased ON resellers (lease_until) WHERE lease_until IS NOT NULL;

-- What was put; the lane's part of it is copied into `resellers`.
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
    create_time INTEGER NOT NULL,
    update_time INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE messages (
    reseller TEXT NOT NULL,
    message_id BLOB NOT NULL CHECK (length(message_id) = 16),
    -- HELD is never stored: it is how a waiting message reads while its lane is held or paused.
    state TEXT NOT NULL CHECK (state IN (
        'accepted', 'scheduled', 'sending', 'deferred', 'sent', 'outcome_unknown', 'failed', 'cancelled', 'expired'
    )),
    -- A mail of TestSettings: no lane ever tries it.
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
    -- When its content goes, once that is decided.
    purge_time INTEGER,
    has_content INTEGER NOT NULL CHECK (has_content IN (0, 1)),
    content_bytes INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    backoffs INTEGER NOT NULL,
    in_doubt INTEGER NOT NULL CHECK (in_doubt IN (0, 1)),
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
    CHECK (has_content OR purge_time IS NULL),
    -- An unresolved doubt is never hidden.
    CHECK (NOT in_doubt OR state NOT IN ('sent', 'failed', 'cancelled', 'expired'))
) STRICT, WITHOUT ROWID;

-- Apart from the state, so that the rows every statement touches stay small and purging is a deletion.
CREATE TABLE contents (
    reseller TEXT NOT NULL,
    message_id BLOB NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (reseller, message_id)
) STRICT;

CREATE TABLE request_keys (
    reseller TEXT NOT NULL,
    request_id TEXT NOT NULL,
    message_id BLOB NOT NULL CHECK (length(message_id) = 16),
    content_hash BLOB NOT NULL CHECK (length(content_hash) = 32),
    create_time INTEGER NOT NULL,
    -- Set by the message's end: 24 h after it, and no sooner than 24 h after create_time.
    expire_time INTEGER,
    PRIMARY KEY (reseller, request_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempts (
    reseller TEXT NOT NULL,
    message_id BLOB NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 1),
    mailbox TEXT NOT NULL,
    -- Who started it; null: nobody who holds a lane.
    lease_token BLOB CHECK (length(lease_token) = 16),
    -- Of the settings it was made with; null: they were a candidate's.
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
    CHECK ((end_time IS NULL) = (outcome IS NULL)),
    CHECK ((late_time IS NULL) = (late_outcome IS NULL)),
    CHECK ((finding_code IS NULL) = (finding_class IS NULL) AND (finding_code IS NULL) = (finding_evidence IS NULL))
) STRICT, WITHOUT ROWID;

-- What changed, numbered by reseller without a gap. `position` orders the events of all resellers as they were committed.
-- A null message_id: the lane was held, paused or freed, and its waiting messages read differently from then on.
CREATE TABLE events (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    reseller TEXT NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 1),
    time INTEGER NOT NULL,
    message_id BLOB CHECK (length(message_id) = 16),
    state TEXT NOT NULL CHECK (state IN (
        'accepted', 'scheduled', 'sending', 'deferred', 'held', 'sent', 'outcome_unknown', 'failed', 'cancelled',
        'expired'
    )),
    next_attempt_time INTEGER,
    -- How many there were, and whether the last of them was in flight.
    attempts INTEGER NOT NULL,
    in_flight INTEGER NOT NULL CHECK (in_flight IN (0, 1)),
    finding_code TEXT,
    finding_class TEXT,
    finding_evidence TEXT CHECK (json_valid(finding_evidence)),
    UNIQUE (reseller, number)
) STRICT;

-- Recipients of calls that were or may have been taken, by the hour in which they began.
CREATE TABLE recipient_hours (
    reseller TEXT NOT NULL,
    mailbox TEXT NOT NULL,
    hour INTEGER NOT NULL,
    recipients INTEGER NOT NULL,
    PRIMARY KEY (reseller, mailbox, hour)
) STRICT, WITHOUT ROWID;

INSERT INTO settings
SELECT reseller, revision, directory, client, mailbox, cloud, send_as, pace_concurrency, pace_messages_per_minute,
    pace_recipients_per_day, labels, credential_kind, credential_fingerprint, credential_version,
    credential_create_time, credential_expire_time, create_time, update_time
FROM old_settings;

INSERT INTO messages
SELECT m.reseller, m.message_id, m.state, m.is_test, m.priority, m.policy, m.due_time, m.expire_time, m.send_time,
    m.create_time, m.update_time, m.end_time,
    CASE WHEN c.body IS NOT NULL AND m.end_time IS NOT NULL THEN m.end_time + 604800000000 END,
    c.body IS NOT NULL, coalesce(length(c.body), 0), m.attempts, m.backoffs, m.in_doubt, m.request_id,
    m.internet_message_id, m.subject, m.recipient_count, m.labels, m.finding_code, m.finding_class, m.finding_evidence
FROM old_messages AS m
LEFT JOIN old_contents AS c ON c.reseller = m.reseller AND c.message_id = m.message_id;

INSERT INTO contents SELECT reseller, message_id, body FROM old_contents;
INSERT INTO attempts SELECT * FROM old_attempts;
INSERT INTO request_keys
SELECT k.reseller, k.request_id, k.message_id, k.content_hash, k.create_time,
    max(k.create_time, m.end_time) + 86400000000
FROM old_request_keys AS k
LEFT JOIN old_messages AS m ON m.reseller = k.reseller AND m.message_id = k.message_id;

INSERT INTO recipient_hours
SELECT a.reseller, a.mailbox, a.start_time / 3600000000, sum(m.recipient_count)
FROM old_attempts AS a
JOIN old_messages AS m ON m.reseller = a.reseller AND m.message_id = a.message_id
WHERE a.call_deadline IS NOT NULL AND (a.outcome IS NULL OR a.outcome IN ('sent', 'in_doubt'))
GROUP BY a.reseller, a.mailbox, a.start_time / 3600000000;

INSERT INTO resellers (
    reseller, last_revision, last_event, queued_messages, queued_bytes, signal, revision, mailbox, cloud,
    pace_concurrency, pace_messages_per_minute, pace_recipients_per_day, works, finding_code, finding_class,
    finding_evidence, hold_code, hold_class, hold_evidence, hold_probe_time, hold_probes, wait_until, due_time,
    lease_token, lease_until
)
SELECT
    r.reseller, r.revision, 0,
    (SELECT count(*) FROM messages AS m WHERE m.reseller = r.reseller AND m.end_time IS NULL),
    (SELECT coalesce(sum(content_bytes), 0) FROM messages AS m WHERE m.reseller = r.reseller AND m.end_time IS NULL),
    0, s.revision, l.mailbox, s.cloud, s.pace_concurrency, s.pace_messages_per_minute, s.pace_recipients_per_day,
    coalesce(s.works, 0), s.finding_code, s.finding_class, s.finding_evidence, l.hold_code, l.hold_class,
    l.hold_evidence, l.hold_probe_time, l.hold_probes, l.wait_until, l.due_time, l.lease_token, l.lease_until
FROM (SELECT reseller, revision FROM revisions
    UNION ALL
    SELECT reseller, 0 FROM old_messages WHERE reseller NOT IN (SELECT reseller FROM revisions) GROUP BY reseller
) AS r
LEFT JOIN old_settings AS s ON s.reseller = r.reseller
LEFT JOIN old_lanes AS l ON l.reseller = r.reseller;

DROP TABLE old_contents;
DROP TABLE old_attempts;
DROP TABLE old_request_keys;
DROP TABLE old_messages;
DROP TABLE old_lanes;
DROP TABLE old_settings;
DROP TABLE revisions;

-- In the order of the lane.
CREATE INDEX messages_waiting ON messages (reseller, priority, due_time, message_id)
    WHERE state IN ('accepted', 'scheduled', 'deferred');
CREATE INDEX messages_expiring ON messages (reseller, expire_time)
    WHERE state IN ('accepted', 'scheduled', 'deferred');
CREATE INDEX messages_purging ON messages (purge_time) WHERE purge_time IS NOT NULL;
CREATE INDEX messages_ended ON messages (end_time) WHERE end_time IS NOT NULL;
-- A message is SENDING while it has one.
CREATE UNIQUE INDEX attempts_open ON attempts (reseller, message_id) WHERE end_time IS NULL;
CREATE INDEX attempts_started ON attempts (reseller, start_time) WHERE call_deadline IS NOT NULL;
CREATE INDEX request_keys_expiring ON request_keys (expire_time) WHERE expire_time IS NOT NULL;

-- The moves of `MessageState::may_become`, as far as an end is left: for SENT by a late 202, for ACCEPTED by a retry.
CREATE TRIGGER messages_moves BEFORE UPDATE OF state ON messages
WHEN NEW.state <> OLD.state AND (
    OLD.state = 'sent'
    OR (OLD.state IN ('outcome_unknown', 'failed', 'cancelled', 'expired') AND NEW.state NOT IN ('sent', 'accepted'))
)
BEGIN
    SELECT RAISE(ABORT, 'an end state is left for SENT or by a retry only');
END;

-- When a lane has work again, in one place: its next message, not before the lane's wait and the hold's probe, and never
-- while it is paused; the next expiry; the deadline of an attempt that somebody must resolve.
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
            WHERE l.pause_time IS NULL
            UNION ALL
            SELECT min(expire_time) FROM messages
            WHERE reseller = l.reseller AND state IN ('accepted', 'scheduled', 'deferred')
            UNION ALL
            SELECT min(call_deadline) FROM attempts INDEXED BY attempts_open
            WHERE reseller = l.reseller AND end_time IS NULL
        )
    ) AS due_time
FROM resellers AS l
WHERE l.revision IS NOT NULL;
