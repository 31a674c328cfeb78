//! The rows of one transaction: loaded for the writes in it, changed by them in memory, saved together.
//!
//! A write is a plain function on a book. It names the rows it looks at ([`Needs`]) and runs without I/O, so that many
//! writes share each statement, the same code serves every database, and it can be run again after a rollback.
//!
//! Rules
//! - The row of a reseller comes first: where several replicas write, it is the lock of all that is the reseller's.
//! - What a write changed, the next one in the same book sees.
//! - A message changes its state by [`Book::moves`] only, which keeps its counters, key, content and events true.
//!
//! Does not know: SQL, or which database.

mod chain;
mod moves;
mod needs;
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use postrider_domain::{
    AuditEvent, Bug, CredentialInfo, CredentialKind, CredentialVersion, EmailAddress, Fingerprint,
    LeaseToken, MessageId, RequestId, ResellerId, SettingsValues, planted,
};

pub(crate) use self::chain::{ChainRow, chains};
pub(crate) use self::moves::Change;
pub use self::moves::Retention;
pub(crate) use self::needs::Needs;
pub(crate) use self::rows::{
    AttemptRow, EndRow, EventRow, LaneRow, LateRow, LeaseRow, MessageRow, PacedRow, RequestKeyRow,
    ResellerRow, WaitedRow,
};
use crate::{AccessKey, Changed, KeyId, NewMessage, NewSettings, SealedRecord, StoreError, WrappedKey};

pub(crate) type MessageKey = (ResellerId, MessageId);
pub(crate) type AttemptKey = (ResellerId, MessageId, u32);
pub(crate) type RequestKey = (ResellerId, RequestId);
/// Reseller and version.
pub(crate) type SealedKey = (ResellerId, String);
/// A federated source, with a client: the client, and the credential's fingerprint.
pub(crate) type SourceKey = (String, String);
/// Reseller, mailbox, and hours since 1970.
pub(crate) type HourKey = (ResellerId, EmailAddress, i64);

/// The federated source of settings, if they have one.
pub(crate) fn source_key(new: &NewSettings) -> Option<SourceKey> {
    let NewSettings { values, credential, .. } = new;
    let is_federated = credential.kind == CredentialKind::Federated;
    is_federated.then(|| source_of(values, &credential.fingerprint))
}

pub(crate) fn source_of(values: &SettingsValues, fingerprint: &Fingerprint) -> SourceKey {
    (values.client.to_string(), fingerprint.to_string())
}

/// Rows of a table by key, and which of them are to be written.
#[derive(Debug)]
pub(crate) struct Rows<K, V>(BTreeMap<K, (V, Kept)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    Loaded,
    Changed,
    New,
}

impl<K, V> Default for Rows<K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord, V> Rows<K, V> {
    pub(crate) fn load(&mut self, key: K, row: V) {
        self.0.entry(key).or_insert((row, Kept::Loaded));
    }

    pub(crate) fn insert(&mut self, key: K, row: V) {
        self.0.insert(key, (row, Kept::New));
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.0.get(key).map(|(row, _)| row)
    }

    /// The row, to be changed.
    pub(crate) fn change(&mut self, key: &K) -> Option<&mut V> {
        let (row, kept) = self.0.get_mut(key)?;
        if *kept == Kept::Loaded {
            *kept = Kept::Changed;
        }
        Some(row)
    }

    /// From this key on, in order.
    fn from(&self, first: K) -> impl Iterator<Item = (&K, &V)> + use<'_, K, V> {
        self.0.range(first..).map(|(key, (row, _))| (key, row))
    }

    pub(crate) fn added(&self) -> impl Iterator<Item = (&K, &V)> {
        self.kept(Kept::New)
    }

    pub(crate) fn changed(&self) -> impl Iterator<Item = (&K, &V)> {
        self.kept(Kept::Changed)
    }

    fn kept(&self, wanted: Kept) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().filter(move |(_, (_, kept))| *kept == wanted).map(|(key, (row, _))| (key, row))
    }
}

/// Another version of a credential that settings name.
#[derive(Debug, Clone)]
pub(crate) struct Adopted {
    pub(crate) credential: CredentialInfo,
    pub(crate) revision: i64,
    pub(crate) time: Timestamp,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Book {
    now: Timestamp,
    retention: Retention,
    pub(crate) resellers: Rows<ResellerId, ResellerRow>,
    pub(crate) messages: Rows<MessageKey, MessageRow>,
    pub(crate) attempts: Rows<AttemptKey, AttemptRow>,
    pub(crate) request_keys: Rows<RequestKey, RequestKeyRow>,
    /// Changes of credentials that began, by their id: all of a reseller's.
    pub(crate) changes: BTreeMap<ResellerId, BTreeMap<String, Timestamp>>,
    /// Versions that settings name.
    pub(crate) credentials: BTreeMap<ResellerId, CredentialVersion>,
    /// Who has the federated sources that are looked at, and with which directory.
    pub(crate) sources: BTreeSet<(SourceKey, ResellerId, String)>,
    pub(crate) sealed: BTreeMap<SealedKey, SealedRecord>,
    pub(crate) access_keys: Rows<KeyId, AccessKey>,
    /// Where audit chains end; that of nobody's too.
    pub(crate) chains: Rows<Option<ResellerId>, ChainRow>,
    pub(crate) meta: Rows<&'static str, String>,
    /// Of whom all hours are loaded, and what of them there is.
    pub(crate) hours: BTreeMap<HourKey, i64>,
    pub(crate) written: Written,
}

/// What is written without having been read.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// What of new messages their rows do not hold.
    pub(crate) accepted: Vec<Arc<NewMessage>>,
    pub(crate) events: Vec<(ResellerId, EventRow)>,
    pub(crate) audit: Vec<AuditEvent>,
    /// Data keys that were made, wrapped anew, or taken away.
    pub(crate) data_keys: BTreeMap<ResellerId, Option<WrappedKey>>,
    /// Content that goes now.
    pub(crate) purged: BTreeSet<MessageKey>,
    /// When request keys expire; none while their message has not ended.
    pub(crate) key_expiries: BTreeMap<RequestKey, Option<Timestamp>>,
    /// To be added.
    pub(crate) recipients: BTreeMap<HourKey, i64>,
    pub(crate) stale_hours: BTreeSet<HourKey>,
    pub(crate) settings: BTreeMap<ResellerId, (Arc<NewSettings>, i64)>,
    /// Whose settings, credential and content all go, before anything else is written.
    pub(crate) deleted: BTreeSet<ResellerId>,
    /// Credentials that settings name from now on.
    pub(crate) adopted: BTreeMap<ResellerId, Adopted>,
    /// Whose changes of credentials are to be written, all of them.
    pub(crate) changes: BTreeSet<ResellerId>,
    pub(crate) sealed: BTreeMap<SealedKey, SealedRecord>,
    /// Ciphertext that takes another's place.
    pub(crate) resealed: BTreeMap<SealedKey, Vec<u8>>,
    /// All versions of a credential that were put before a moment, but the one to keep.
    pub(crate) pruned: Vec<(ResellerId, Option<String>, Timestamp)>,
    pub(crate) ended_history: BTreeSet<MessageKey>,
    /// With their expiry, as it was read.
    pub(crate) expired_keys: BTreeSet<(RequestKey, Timestamp)>,
    pub(crate) old_events: BTreeSet<(ResellerId, i64)>,
    /// The last position of those.
    pub(crate) events_purged: Option<i64>,
    /// Lanes whose due time is found anew, once all else is written; none is due before the time given.
    pub(crate) due: BTreeMap<ResellerId, Option<Timestamp>>,
}

impl Book {
    /// `now` is the database's, where it has a clock of its own.
    pub(crate) fn new(now: Timestamp, retention: Retention) -> Self {
        Self {
            now,
            retention,
            resellers: Rows::default(),
            messages: Rows::default(),
            attempts: Rows::default(),
            request_keys: Rows::default(),
            changes: BTreeMap::new(),
            credentials: BTreeMap::new(),
            sources: BTreeSet::new(),
            sealed: BTreeMap::new(),
            access_keys: Rows::default(),
            chains: Rows::default(),
            meta: Rows::default(),
            hours: BTreeMap::new(),
            written: Written::default(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    pub(crate) fn lane(&self, reseller: &ResellerId) -> Option<&LaneRow> {
        self.resellers.get(reseller)?.lane.as_ref()
    }

    /// The lane, to be changed.
    pub(crate) fn change_lane(&mut self, reseller: &ResellerId) -> Option<&mut LaneRow> {
        self.lane(reseller)?;
        self.resellers.change(reseller)?.lane.as_mut()
    }

    /// The lane, to be changed by its holder.
    pub(crate) fn leased(&mut self, reseller: &ResellerId, token: LeaseToken) -> Option<&mut LaneRow> {
        self.lane(reseller).filter(|lane| lane.is_leased_by(token))?;
        self.change_lane(reseller)
    }

    pub(crate) fn set_data_key(&mut self, reseller: &ResellerId, key: Option<WrappedKey>) {
        if let Some(row) = self.resellers.change(reseller) {
            row.data_key.clone_from(&key);
            self.written.data_keys.insert(reseller.clone(), key);
        }
    }

    /// The holder of the lane is to hear of a change.
    pub(crate) fn signal(&mut self, reseller: &ResellerId) {
        if let Some(row) = self.resellers.change(reseller) {
            row.signal.0 += 1;
        }
    }

    /// Attempts of a reseller, as far as they are loaded.
    pub(crate) fn attempts_of<'b>(
        &'b self,
        reseller: &'b ResellerId,
    ) -> impl Iterator<Item = (&'b AttemptKey, &'b AttemptRow)> {
        let first = (reseller.clone(), MessageId::of_uuid(uuid::Uuid::nil()), 0);
        self.attempts.from(first).take_while(move |((owner, ..), _)| owner == reseller)
    }

    /// Messages of a reseller, as far as they are loaded.
    pub(crate) fn messages_of<'b>(
        &'b self,
        reseller: &'b ResellerId,
    ) -> impl Iterator<Item = (MessageId, &'b MessageRow)> {
        let first = (reseller.clone(), MessageId::of_uuid(uuid::Uuid::nil()));
        let own = self.messages.from(first).take_while(move |((owner, _), _)| owner == reseller);
        own.map(|((_, id), row)| (*id, row))
    }

    pub(crate) fn due_anew(&mut self, reseller: &ResellerId, not_before: Option<Timestamp>) {
        self.written.due.insert(reseller.clone(), not_before);
    }

    /// An event of the message as it is now.
    pub(crate) fn tell(&mut self, reseller: &ResellerId, id: MessageId) -> Result<(), StoreError> {
        self.tell_after(reseller, id, None)
    }

    /// The same, for one that waited until then.
    fn tell_after(
        &mut self,
        reseller: &ResellerId,
        id: MessageId,
        waited: Option<WaitedRow>,
    ) -> Result<(), StoreError> {
        let row = self.message(reseller, id)?;
        let in_flight =
            self.attempts.get(&(reseller.clone(), id, row.attempts)).is_some_and(|a| a.end.is_none());
        let lane = self.lane(reseller).map(LaneRow::seen).unwrap_or_default();
        let seen = lane.shows(row.state, row.due_time, row.finding.as_ref(), self.now);
        let event = EventRow {
            number: 0,
            // What a reader is told then is what it would read.
            time: row.update_time,
            message: Some(id),
            state: seen.state,
            next_attempt_time: seen.next_attempt_time,
            attempts: row.attempts,
            in_flight,
            finding: seen.finding,
            waited,
        };
        let number = self.append(reseller, event);
        if let (Some(row), Some(number)) = (self.messages.change(&(reseller.clone(), id)), number) {
            row.last_event = number;
        }
        Ok(())
    }

    /// An event of the lane: it was stopped, or let go, and what waits in it reads so from now on.
    pub(crate) fn tell_of_lane(&mut self, reseller: &ResellerId) {
        let stop = self.lane(reseller).and_then(LaneRow::stop);
        let state = match stop {
            Some(_) => postrider_domain::MessageState::Held,
            None => postrider_domain::MessageState::Accepted,
        };
        let event = EventRow {
            number: 0,
            time: self.now,
            message: None,
            state,
            next_attempt_time: None,
            attempts: 0,
            in_flight: false,
            finding: stop,
            waited: None,
        };
        self.append(reseller, event);
    }

    /// Its number.
    fn append(&mut self, reseller: &ResellerId, event: EventRow) -> Option<i64> {
        let row = self.resellers.change(reseller)?;
        row.last_event += i64::from(event.message.is_some() || !planted(Bug::EventNumberedTwice));
        let number = row.last_event;
        self.written.events.push((reseller.clone(), EventRow { number, ..event }));
        Some(number)
    }

    /// What those who watch are told, once it is committed.
    pub(crate) fn changed(&self) -> Vec<Changed> {
        let of =
            |(reseller, event): &(ResellerId, EventRow)| Changed::Message(reseller.clone(), event.message);
        self.written.events.iter().map(of).collect()
    }

    pub(crate) fn message(&self, reseller: &ResellerId, id: MessageId) -> Result<&MessageRow, StoreError> {
        self.messages.get(&(reseller.clone(), id)).ok_or_else(|| StoreError::Inconsistent {
            table: "messages",
            column: "message_id",
            row: format!("{reseller}/{id}"),
        })
    }
}
