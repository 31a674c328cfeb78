//! A book to the database: what was made or changed in it, table by table, and due times last.

use std::collections::BTreeMap;

use postrider_domain::{AuditEvent, EmailAddress, Finding, MessageId, ResellerId};

use super::{Db, FindingCells, Statement, Value, execute_each, json, values};
use crate::book::{Adopted, AttemptRow, Book, ChainRow, EventRow, LaneRow, MessageRow, ResellerRow};
use crate::{AccessKey, NewMessage, NewSettings, StoreError};

static NEW_MESSAGES: Statement = statement!("save/new_messages");
static CONTENTS: Statement = statement!("save/contents");
static NEW_REQUEST_KEYS: Statement = statement!("save/new_request_keys");
static KEY_EXPIRIES: Statement = statement!("save/key_expiries");
static NEW_ATTEMPTS: Statement = statement!("save/new_attempts");
static ATTEMPTS: Statement = statement!("save/attempts");
static MESSAGES: Statement = statement!("save/messages");
static RESELLERS: Statement = statement!("save/resellers");
static DATA_KEYS: Statement = statement!("save/data_keys");
static EVENTS: Statement = statement!("save/events");
static RECIPIENTS: Statement = statement!("save/recipients");
static STALE_HOURS: Statement = statement!("save/stale_hours");
static SETTINGS: Statement = statement!("save/settings");
static DELETED: [Statement; 4] = [
    statement!("save/deleted_settings"),
    statement!("save/deleted_contents"),
    statement!("save/deleted_sealed_credentials"),
    statement!("save/deleted_has_content"),
];
static PURGED_CONTENTS: Statement = statement!("save/purged_contents");
static ENDED_MESSAGES: Statement = statement!("save/ended_messages");
static ENDED_ATTEMPTS: Statement = statement!("save/ended_attempts");
static EXPIRED_KEYS: Statement = statement!("save/expired_keys");
static OLD_EVENTS: Statement = statement!("save/old_events");
static EVENTS_PURGED: Statement = statement!("save/events_purged");
static ADOPTED: Statement = statement!("save/adopted");
static GONE_CHANGES: Statement = statement!("save/gone_changes");
static CHANGES: Statement = statement!("save/changes");
static RESEALED: Statement = statement!("save/resealed");
static SEALED: Statement = statement!("save/sealed");
static PRUNED: Statement = statement!("save/pruned");
static NEW_ACCESS_KEYS: Statement = statement!("save/new_access_keys");
static ACCESS_KEYS: Statement = statement!("save/access_keys");
static AUDIT_EVENTS: Statement = statement!("save/audit_events");
static AUDIT_CHAINS: Statement = statement!("save/audit_chains");
static NEW_META: Statement = statement!("save/new_meta");
static META: Statement = statement!("save/meta");
static DUE: Statement = statement!(each dialect "save/due");

pub(crate) async fn save(db: &mut impl Db, book: &Book) -> Result<(), StoreError> {
    let written = &book.written;
    for statement in &DELETED {
        execute_each(db, statement, each(&written.deleted, |reseller| values![reseller])).await?;
    }
    save_accepted(db, book).await?;
    let expiries = &written.key_expiries;
    execute_each(db, &KEY_EXPIRIES, each(expiries, |((reseller, id), end)| values![reseller, id, *end]))
        .await?;
    execute_each(db, &NEW_ATTEMPTS, each(book.attempts.added(), |(key, row)| new_attempt(key, row))).await?;
    execute_each(db, &ATTEMPTS, each(book.attempts.changed(), |(key, row)| attempt(key, row))).await?;
    execute_each(db, &MESSAGES, each(book.messages.changed(), |(key, row)| message(key, row))).await?;
    let settings = each(written.settings.values(), |(new, revision)| settings(new, *revision));
    execute_each(db, &SETTINGS, settings).await?;
    execute_each(db, &RESELLERS, each(book.resellers.changed(), |(id, row)| reseller(id, row))).await?;
    for (reseller, key) in &written.data_keys {
        let key = key.as_ref().map(|key| key.as_bytes().to_vec());
        db.execute(&DATA_KEYS, 1, values![reseller, key]).await?;
    }
    execute_each(db, &EVENTS, each(&written.events, |(reseller, event)| event_values(reseller, event)))
        .await?;
    let hour =
        |(reseller, mailbox, hour): &(ResellerId, EmailAddress, i64)| values![reseller, mailbox, *hour];
    let recipients = each(&written.recipients, |(key, added)| {
        let mut values = hour(key);
        values.push((*added).into());
        values
    });
    execute_each(db, &RECIPIENTS, recipients).await?;
    execute_each(db, &STALE_HOURS, each(&written.stale_hours, hour)).await?;
    save_gone(db, book).await?;
    save_credentials(db, book).await?;
    save_keys(db, book).await?;
    save_audit(db, book).await?;
    execute_each(db, &DUE, each(&written.due, |(reseller, not_before)| values![reseller, *not_before])).await
}

fn each<T>(rows: impl IntoIterator<Item = T>, values: impl Fn(T) -> Vec<Value>) -> Vec<Vec<Value>> {
    rows.into_iter().map(values).collect()
}

async fn save_accepted(db: &mut impl Db, book: &Book) -> Result<(), StoreError> {
    let accepted = &book.written.accepted;
    let new = |new: &std::sync::Arc<NewMessage>| {
        let row = book.messages.get(&(new.reseller.clone(), new.id));
        row.map(|row| new_message(new, row)).unwrap_or_default()
    };
    execute_each(db, &NEW_MESSAGES, each(accepted, new)).await?;
    let kept = accepted.iter().filter(|new| !book.written.purged.contains(&(new.reseller.clone(), new.id)));
    let content = |new: &std::sync::Arc<NewMessage>| values![&new.reseller, new.id, new.content.as_slice()];
    execute_each(db, &CONTENTS, each(kept, content)).await?;
    let keys = each(book.request_keys.added(), |((reseller, request_id), key)| {
        values![reseller, request_id, key.message, key.content_hash.0.as_slice(), key.create_time]
    });
    execute_each(db, &NEW_REQUEST_KEYS, keys).await
}

/// What goes.
async fn save_gone(db: &mut impl Db, book: &Book) -> Result<(), StoreError> {
    let written = &book.written;
    let key = |(reseller, id): &(ResellerId, MessageId)| values![reseller, *id];
    let purged = || each(&written.purged, key);
    execute_each(db, &PURGED_CONTENTS, purged()).await?;
    for statement in [&ENDED_MESSAGES, &ENDED_ATTEMPTS, &PURGED_CONTENTS] {
        execute_each(db, statement, each(&written.ended_history, key)).await?;
    }
    let expired = each(&written.expired_keys, |((reseller, id), end)| values![reseller, id, *end]);
    execute_each(db, &EXPIRED_KEYS, expired).await?;
    execute_each(db, &OLD_EVENTS, each(&written.old_events, |(reseller, n)| values![reseller, *n])).await?;
    execute_each(db, &EVENTS_PURGED, each(written.events_purged, |position| values![position])).await
}

async fn save_credentials(db: &mut impl Db, book: &Book) -> Result<(), StoreError> {
    let written = &book.written;
    execute_each(
        db,
        &ADOPTED,
        each(&written.adopted, |(reseller, adopted)| adopted_values(reseller, adopted)),
    )
    .await?;
    execute_each(db, &GONE_CHANGES, each(&written.changes, |reseller| values![reseller])).await?;
    let changes = written.changes.iter().filter_map(|reseller| Some((reseller, book.changes.get(reseller)?)));
    let changes = changes.flat_map(|(reseller, changes)| {
        changes.iter().map(move |(id, time)| values![reseller, id.as_str(), *time])
    });
    execute_each(db, &CHANGES, changes.collect()).await?;
    let sealed = each(&written.sealed, |((reseller, version), record)| {
        values![reseller, version.as_str(), record.ciphertext.as_slice(), record.create_time]
    });
    execute_each(db, &SEALED, sealed).await?;
    for (reseller, keep, put_before) in &written.pruned {
        db.execute(&PRUNED, 1, values![reseller, keep.clone(), *put_before]).await?;
    }
    let resealed = each(&written.resealed, |((reseller, version), ciphertext)| {
        values![reseller, version.as_str(), ciphertext.as_slice()]
    });
    execute_each(db, &RESEALED, resealed).await
}

/// Callers' keys, and what the database is.
async fn save_keys(db: &mut impl Db, book: &Book) -> Result<(), StoreError> {
    execute_each(db, &NEW_ACCESS_KEYS, each(book.access_keys.added(), |(_, key)| access_key(key))).await?;
    let used = each(book.access_keys.changed(), |(id, key)| {
        values![id.as_str(), key.last_use_time, key.revoke_time]
    });
    execute_each(db, &ACCESS_KEYS, used).await?;
    let meta = |(name, value): (&&'static str, &String)| values![*name, value.as_str()];
    execute_each(db, &NEW_META, each(book.meta.added(), meta)).await?;
    execute_each(db, &META, each(book.meta.changed(), meta)).await
}

async fn save_audit(db: &mut impl Db, book: &Book) -> Result<(), StoreError> {
    let event = |event: &AuditEvent| {
        values![
            event.chain(),
            event.number,
            event.time,
            event.actor.as_str(),
            event.action.as_str(),
            event.source_address.as_str(),
            json(&event.details),
            event.previous_hash.0.as_slice(),
            event.hash.0.as_slice(),
        ]
    };
    execute_each(db, &AUDIT_EVENTS, each(&book.written.audit, event)).await?;
    let end = |(chain, end): (&Option<ResellerId>, &ChainRow)| {
        let slug = chain.as_ref().map_or("", ResellerId::as_str);
        values![slug, end.number, end.time, end.hash.0.as_slice()]
    };
    execute_each(db, &AUDIT_CHAINS, each(book.chains.changed(), end)).await
}

fn new_message(new: &NewMessage, row: &MessageRow) -> Vec<Value> {
    values![
        &new.reseller,
        new.id,
        row.state.as_str(),
        row.is_test,
        i64::from(row.priority.rank()),
        row.policy.as_str(),
        row.due_time,
        row.expire_time,
        new.send_time,
        row.create_time,
        row.update_time,
        row.has_content,
        row.content_bytes,
        row.attempts,
        row.backoffs,
        row.in_doubt,
        row.last_event,
        new.request_id.as_ref(),
        new.internet_message_id.as_deref(),
        new.subject.as_str(),
        row.recipient_count,
        json(&new.labels),
    ]
}

fn message((reseller, id): &(ResellerId, MessageId), row: &MessageRow) -> Vec<Value> {
    let mut values = values![
        reseller,
        *id,
        row.state.as_str(),
        row.due_time,
        row.expire_time,
        row.update_time,
        row.end_time,
        row.purge_time,
        row.has_content,
        row.attempts,
        row.backoffs,
        row.in_doubt,
        row.last_event,
    ];
    values.extend(finding(row.finding.as_ref()));
    values
}

fn finding(finding: Option<&Finding>) -> [Value; 3] {
    let cells = FindingCells::of(finding);
    [cells.code.into(), cells.class.into(), cells.evidence.into()]
}

fn new_attempt((reseller, id, number): &(ResellerId, MessageId, u32), row: &AttemptRow) -> Vec<Value> {
    let mut values = values![
        reseller,
        *id,
        *number,
        &row.mailbox,
        row.token,
        row.revision,
        row.start_time,
        row.call_deadline,
    ];
    values.extend(end(row));
    values
}

fn attempt((reseller, id, number): &(ResellerId, MessageId, u32), row: &AttemptRow) -> Vec<Value> {
    let mut values = values![reseller, *id, *number];
    values.extend(end(row));
    let late = row.late.as_ref();
    values.extend(values![
        late.map(|late| late.time),
        late.map(|late| late.outcome.as_str()),
        late.and_then(|late| late.graph_request_id.clone()),
    ]);
    values
}

fn end(row: &AttemptRow) -> Vec<Value> {
    let end = row.end.as_ref();
    let mut values = values![end.map(|end| end.time), end.map(|end| end.outcome.as_str())];
    values.extend(finding(end.and_then(|end| end.finding.as_ref())));
    values.push(end.and_then(|end| end.graph_request_id.clone()).into());
    values
}

fn reseller(id: &ResellerId, row: &ResellerRow) -> Vec<Value> {
    let mut values =
        values![id, row.last_revision, row.last_event, row.queued_messages, row.queued_bytes, row.signal.0,];
    values.extend(lane(row.lane.as_ref()));
    values
}

fn lane(lane: Option<&LaneRow>) -> Vec<Value> {
    let pace = lane.map(|lane| lane.pace).unwrap_or_default();
    let mut values = values![
        lane.map(|lane| lane.revision),
        lane.map(|lane| lane.mailbox.as_str()),
        lane.map(|lane| lane.cloud.as_str()),
        pace.concurrency,
        pace.messages_per_minute,
        pace.recipients_per_day,
        lane.is_some_and(|lane| lane.works),
    ];
    values.extend(finding(lane.and_then(|lane| lane.finding.as_ref())));
    let pause = lane.and_then(|lane| lane.pause.as_ref());
    values.extend(values![pause.map(|pause| pause.time), pause.map(|pause| pause.reason.as_str())]);
    let hold = lane.and_then(|lane| lane.hold.as_ref());
    values.extend(finding(hold.map(|hold| &hold.finding)));
    let paced = lane.and_then(|lane| lane.paced);
    let lease = lane.and_then(|lane| lane.lease);
    values.extend(values![
        hold.map(|hold| hold.probe_time),
        hold.map(|hold| hold.probes),
        lane.and_then(|lane| lane.wait_until),
        lane.and_then(|lane| lane.asked_until),
        lane.and_then(asked_elsewhere),
        paced.map(|paced| paced.until),
        paced.map(|paced| paced.look_time),
        lane.and_then(|lane| lane.due_time),
        lease.map(|lease| lease.token),
        lease.map(|lease| lease.until),
    ]);
    values
}

/// As JSON: microseconds by mailbox.
fn asked_elsewhere(lane: &LaneRow) -> Option<String> {
    let asked =
        lane.asked_elsewhere.iter().map(|(mailbox, until)| (mailbox.as_str(), until.as_microsecond()));
    let asked: BTreeMap<_, _> = asked.collect();
    (!asked.is_empty()).then(|| json(&asked))
}

fn event_values(reseller: &ResellerId, event: &EventRow) -> Vec<Value> {
    let mut values = values![
        reseller,
        event.number,
        event.time,
        event.message,
        event.state.as_str(),
        event.next_attempt_time,
        event.attempts,
        event.in_flight,
    ];
    values.extend(finding(event.finding.as_ref()));
    let waited = event.waited;
    values.extend(values![waited.map(|waited| waited.since), waited.map(|waited| waited.state.as_str())]);
    values
}

fn settings(new: &NewSettings, revision: i64) -> Vec<Value> {
    let NewSettings { reseller, values, credential, now, .. } = new;
    let send_as: Vec<_> = values.send_as.iter().map(EmailAddress::as_str).collect();
    values![
        reseller,
        revision,
        values.directory.as_str(),
        values.client.as_str(),
        &values.mailbox,
        values.cloud.as_str(),
        json(&send_as),
        values.pace.concurrency,
        values.pace.messages_per_minute,
        values.pace.recipients_per_day,
        json(&values.labels),
        credential.kind.as_str(),
        credential.fingerprint.as_str(),
        credential.version.as_str(),
        credential.create_time,
        credential.expire_time,
        *now,
        *now,
    ]
}

fn adopted_values(reseller: &ResellerId, adopted: &Adopted) -> Vec<Value> {
    let Adopted { credential, revision, time } = adopted;
    values![
        reseller,
        *revision,
        credential.kind.as_str(),
        credential.fingerprint.as_str(),
        credential.version.as_str(),
        credential.create_time,
        credential.expire_time,
        *time,
    ]
}

fn access_key(key: &AccessKey) -> Vec<Value> {
    let scopes: Vec<_> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    let resellers: Vec<_> = key.resellers.iter().map(ResellerId::as_str).collect();
    values![
        key.id.as_str(),
        key.name.as_str(),
        key.hash.0.as_slice(),
        json(&scopes),
        json(&resellers),
        key.create_time,
        key.expire_time,
        key.last_use_time,
        key.revoke_time,
    ]
}
