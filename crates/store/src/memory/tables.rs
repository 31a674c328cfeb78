//! The rows, and how a book is loaded from them and saved to them: as `sql/load.rs` and `sql/save.rs` do it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use postrider_domain::{AuditEvent, MessageId, MessageState, ResellerId, limits};
use uuid::Uuid;

use crate::book::{
    AttemptKey, AttemptRow, Book, ChainRow, EventRow, HourKey, LaneRow, MessageKey, MessageRow, Needs,
    RequestKey, RequestKeyRow, ResellerRow, source_key,
};
use crate::{AccessKey, KeyId, NewMessage, NewSettings, SealedRecord};

/// The least id there is, and the greatest.
const ENDS: [MessageId; 2] = [MessageId::of_uuid(Uuid::nil()), MessageId::of_uuid(Uuid::max())];

#[derive(Default)]
pub(super) struct Tables {
    pub resellers: BTreeMap<ResellerId, ResellerRow>,
    /// Lanes that have work, by when they may be leased.
    pub due: BTreeSet<(Timestamp, ResellerId)>,
    pub settings: BTreeMap<ResellerId, (Arc<NewSettings>, i64)>,
    pub messages: BTreeMap<MessageKey, MessageRow>,
    /// What of an accepted message its row does not hold.
    pub accepted: BTreeMap<MessageKey, Arc<NewMessage>>,
    pub contents: BTreeMap<MessageKey, Vec<u8>>,
    pub attempts: BTreeMap<AttemptKey, AttemptRow>,
    pub request_keys: BTreeMap<RequestKey, (RequestKeyRow, Option<Timestamp>)>,
    pub hours: BTreeMap<ResellerId, BTreeMap<HourKey, i64>>,
    /// By their position.
    pub events: BTreeMap<i64, (ResellerId, EventRow)>,
    pub last_position: i64,
    pub events_purged: i64,
    pub access_keys: BTreeMap<KeyId, AccessKey>,
    pub changes: BTreeMap<ResellerId, BTreeMap<String, Timestamp>>,
    pub sealed: BTreeMap<(ResellerId, String), SealedRecord>,
    pub chains: BTreeMap<Option<ResellerId>, ChainRow>,
    pub audit: Vec<AuditEvent>,
    pub meta: BTreeMap<&'static str, String>,
}

impl Tables {
    pub(super) fn load(&mut self, needs: &Needs, book: &mut Book) {
        for reseller in &needs.made {
            self.resellers.entry(reseller.clone()).or_default();
        }
        for reseller in &needs.resellers {
            if let Some(row) = self.resellers.get(reseller) {
                book.resellers.load(reseller.clone(), row.clone());
            }
        }
        for key in &needs.request_keys {
            if let Some((row, _)) = self.request_keys.get(key) {
                book.request_keys.load(key.clone(), *row);
            }
        }
        for key in &needs.attempts {
            if let Some(row) = self.attempts.get(key) {
                book.attempts.load(key.clone(), row.clone());
            }
        }
        for key in self.load_attempts(needs, book).into_iter().chain(needs.messages.iter().cloned()) {
            if let Some(row) = self.messages.get(&key) {
                book.messages.load(key, row.clone());
            }
        }
        self.load_waiting(needs, book);
        let hours = needs.hours.iter().filter_map(|reseller| self.hours.get(reseller));
        book.hours.extend(hours.flatten().map(|(key, recipients)| (key.clone(), *recipients)));
        for reseller in &needs.changes {
            if let Some(changes) = self.changes.get(reseller) {
                book.changes.insert(reseller.clone(), changes.clone());
            }
        }
        for reseller in &needs.credentials {
            if let Some((new, _)) = self.settings.get(reseller) {
                book.credentials.insert(reseller.clone(), new.credential.version.clone());
            }
        }
        if !needs.sources.is_empty() {
            self.load_sources(needs, book);
        }
        for key in &needs.sealed {
            if let Some(record) = self.sealed.get(key) {
                book.sealed.insert(key.clone(), record.clone());
            }
        }
        for id in &needs.access_keys {
            if let Some(key) = self.access_keys.get(id) {
                book.access_keys.load(id.clone(), key.clone());
            }
        }
        for chain in &needs.chains {
            book.chains.load(chain.clone(), self.chains.get(chain).copied().unwrap_or(ChainRow::START));
        }
        for name in &needs.meta {
            if let Some(value) = self.meta.get(name) {
                book.meta.load(name, value.clone());
            }
        }
    }

    fn load_sources(&self, needs: &Needs, book: &mut Book) {
        for (reseller, (new, _)) in &self.settings {
            if let Some(key) = source_key(new).filter(|key| needs.sources.contains(key)) {
                book.sources.insert((key, reseller.clone(), new.values.directory.to_string()));
            }
        }
    }

    /// Open and recent ones; the messages of the open ones.
    fn load_attempts(&self, needs: &Needs, book: &mut Book) -> BTreeSet<MessageKey> {
        let minute = limits::PACE_MINUTE + limits::CALL_BEGINS_WITHIN;
        let after = book.now().saturating_sub(minute).unwrap_or(Timestamp::MIN);
        let mut open = BTreeSet::new();
        let of = needs.open.union(&needs.recent);
        for (key, row) in of.flat_map(|reseller| self.attempts_of(reseller)) {
            let is_open = needs.open.contains(&key.0) && row.end.is_none();
            let is_recent =
                needs.recent.contains(&key.0) && row.call_deadline.is_some() && row.start_time > after;
            if is_open {
                open.insert((key.0.clone(), key.1));
            }
            if is_open || is_recent {
                book.attempts.load(key.clone(), row.clone());
            }
        }
        open
    }

    fn load_waiting(&self, needs: &Needs, book: &mut Book) {
        let now = book.now();
        for (reseller, limit) in &needs.expiring {
            let mut over: Vec<_> =
                self.waiting_of(reseller).filter(|(_, row)| row.expire_time <= now).collect();
            over.sort_by_key(|(_, row)| row.expire_time);
            for (key, row) in over.into_iter().take(*limit as usize) {
                book.messages.load(key.clone(), row.clone());
            }
            if !self.is_stopped(reseller) {
                continue;
            }
            let came_due = self.scheduled_of(reseller).filter(|(_, row)| row.due_time <= now);
            for (key, row) in came_due.take(*limit as usize) {
                book.messages.load(key.clone(), row.clone());
            }
        }
        for reseller in &needs.set_aside {
            for (key, row) in self.waiting_of(reseller).filter(|(_, row)| row.is_set_aside(now)) {
                book.messages.load(key.clone(), row.clone());
            }
        }
        for (reseller, limit) in &needs.waiting {
            for (key, row) in self.waiting_of(reseller).take(*limit as usize) {
                book.messages.load(key.clone(), row.clone());
            }
        }
    }

    pub(super) fn waiting_of<'t>(
        &'t self,
        reseller: &'t ResellerId,
    ) -> impl Iterator<Item = (&'t MessageKey, &'t MessageRow)> {
        self.messages_of(reseller).filter(|(_, row)| row.state.waits())
    }

    fn scheduled_of<'t>(
        &'t self,
        reseller: &'t ResellerId,
    ) -> impl Iterator<Item = (&'t MessageKey, &'t MessageRow)> {
        self.waiting_of(reseller).filter(|(_, row)| row.state == MessageState::Scheduled)
    }

    fn is_stopped(&self, reseller: &ResellerId) -> bool {
        let lane = self.resellers.get(reseller).and_then(|row| row.lane.as_ref());
        lane.is_some_and(|lane| lane.stop().is_some())
    }

    pub(super) fn messages_of<'t>(
        &'t self,
        reseller: &'t ResellerId,
    ) -> impl DoubleEndedIterator<Item = (&'t MessageKey, &'t MessageRow)> {
        let [first, last] = ENDS.map(|id| (reseller.clone(), id));
        self.messages.range(first..=last)
    }

    fn attempts_of<'t>(
        &'t self,
        reseller: &'t ResellerId,
    ) -> impl Iterator<Item = (&'t AttemptKey, &'t AttemptRow)> {
        let [first, last] = ENDS.map(|id| (reseller.clone(), id));
        self.attempts.range((first.0, first.1, 0)..=(last.0, last.1, u32::MAX))
    }

    pub(super) fn save(&mut self, book: &Book) {
        let written = &book.written;
        for reseller in &written.deleted {
            self.settings.remove(reseller);
            self.sealed.retain(|(owner, _), _| owner != reseller);
            self.contents.retain(|(owner, _), _| owner != reseller);
            for (_, row) in self.messages.iter_mut().filter(|((owner, _), _)| owner == reseller) {
                (row.has_content, row.purge_time) = (false, None);
            }
        }
        for new in &written.accepted {
            let key = (new.reseller.clone(), new.id);
            self.contents.insert(key.clone(), new.content.clone());
            self.accepted.insert(key, Arc::clone(new));
        }
        put(&mut self.messages, book.messages.added().chain(book.messages.changed()));
        put(&mut self.attempts, book.attempts.added().chain(book.attempts.changed()));
        for (reseller, row) in book.resellers.added().chain(book.resellers.changed()) {
            self.changes_reseller(reseller, |own| own.clone_from(row));
        }
        put(&mut self.access_keys, book.access_keys.added().chain(book.access_keys.changed()));
        put(&mut self.chains, book.chains.changed());
        self.audit.extend(written.audit.iter().cloned());
        put(&mut self.meta, book.meta.added().chain(book.meta.changed()));
        self.settings.extend(written.settings.clone());
        self.save_credentials(book);
        self.save_keys_and_hours(book);
        self.save_events(book);
        for key in &written.purged {
            self.contents.remove(key);
        }
        for key in &written.ended_history {
            self.messages.remove(key);
            self.accepted.remove(key);
            self.contents.remove(key);
            self.attempts.retain(|(owner, id, _), _| (owner, id) != (&key.0, &key.1));
        }
        for (reseller, not_before) in &written.due {
            let due = self.work(reseller).map(|due| Some(due).max(*not_before)).unwrap_or_default();
            self.changes_reseller(reseller, |row| {
                if let Some(lane) = &mut row.lane {
                    lane.due_time = due;
                }
            });
        }
    }

    fn changes_reseller(&mut self, reseller: &ResellerId, change: impl FnOnce(&mut ResellerRow)) {
        let row = self.resellers.entry(reseller.clone()).or_default();
        let before = ready_time(row);
        change(row);
        let after = ready_time(row);
        if before != after {
            before.map(|time| self.due.remove(&(time, reseller.clone())));
            self.due.extend(after.map(|time| (time, reseller.clone())));
        }
    }

    fn save_credentials(&mut self, book: &Book) {
        let written = &book.written;
        for (reseller, adopted) in &written.adopted {
            if let Some((new, revision)) = self.settings.get_mut(reseller) {
                let (credential, now) = (adopted.credential.clone(), adopted.time);
                *new = Arc::new(NewSettings { credential, now, ..(**new).clone() });
                *revision = adopted.revision;
            }
        }
        for reseller in &written.changes {
            self.changes.remove(reseller);
            self.changes
                .extend(book.changes.get(reseller).map(|changes| (reseller.clone(), changes.clone())));
        }
        self.sealed.extend(written.sealed.clone());
        for (reseller, keep, put_before) in &written.pruned {
            self.sealed.retain(|(owner, version), record| {
                owner != reseller || Some(version) == keep.as_ref() || record.create_time >= *put_before
            });
        }
        for (key, ciphertext) in &written.resealed {
            if let Some(record) = self.sealed.get_mut(key) {
                record.ciphertext.clone_from(ciphertext);
            }
        }
    }

    fn save_keys_and_hours(&mut self, book: &Book) {
        let written = &book.written;
        for (key, row) in book.request_keys.added() {
            self.request_keys.insert(key.clone(), (*row, None));
        }
        for (key, end) in &written.key_expiries {
            if let Some((_, expire_time)) = self.request_keys.get_mut(key) {
                *expire_time = *end;
            }
        }
        for (key, end) in &written.expired_keys {
            if self.request_keys.get(key).is_some_and(|(_, expire_time)| *expire_time == Some(*end)) {
                self.request_keys.remove(key);
            }
        }
        for (key, added) in &written.recipients {
            *self.hours.entry(key.0.clone()).or_default().entry(key.clone()).or_default() += added;
        }
        for key in &written.stale_hours {
            self.hours.entry(key.0.clone()).or_default().remove(key);
        }
    }

    fn save_events(&mut self, book: &Book) {
        let written = &book.written;
        for (reseller, event) in &written.events {
            self.last_position += 1;
            self.events.insert(self.last_position, (reseller.clone(), event.clone()));
        }
        if !written.old_events.is_empty() {
            self.events
                .retain(|_, (owner, event)| !written.old_events.contains(&(owner.clone(), event.number)));
        }
        self.events_purged = written.events_purged.unwrap_or(0).max(self.events_purged);
    }

    /// When a lane has work, as `lanes_work` tells it.
    fn work(&self, reseller: &ResellerId) -> Option<Timestamp> {
        let lane: &LaneRow = self.resellers.get(reseller)?.lane.as_ref()?;
        let first = self.waiting_of(reseller).map(|(_, row)| row.due_time).min();
        let first = first.filter(|_| lane.pause.is_none()).map(|due| Some(due).max(lane.not_before()));
        let scheduled = self.scheduled_of(reseller).filter(|_| self.is_stopped(reseller));
        let scheduled = scheduled.map(|(_, row)| row.due_time).min();
        let expiry = self.waiting_of(reseller).map(|(_, row)| row.expire_time).min();
        let open = self.attempts_of(reseller).filter(|(_, row)| row.end.is_none());
        let deadline = open.filter_map(|(_, row)| row.call_deadline).min();
        [first.flatten(), scheduled, expiry, deadline].into_iter().flatten().min()
    }
}

/// When it may be leased: it has work, and nobody holds it.
fn ready_time(row: &ResellerRow) -> Option<Timestamp> {
    let lane = row.lane.as_ref()?;
    lane.due_time.map(|due| lane.lease.map_or(due, |lease| due.max(lease.until)))
}

fn put<'b, K: Ord + Clone + 'b, V: Clone + 'b>(
    table: &mut BTreeMap<K, V>,
    rows: impl Iterator<Item = (&'b K, &'b V)>,
) {
    table.extend(rows.map(|(key, row)| (key.clone(), row.clone())));
}
