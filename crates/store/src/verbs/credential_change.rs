//! Changes of credentials: begun, committed with their settings, closed, ended; and another version that settings name.
//!
//! What a change replaced is a row of its own, by the version's name: where it lies may be out of reach for long.

use jiff::Timestamp;
use postrider_domain::{CredentialInfo, CredentialVersion, ResellerId};

use super::Write;
use crate::book::{Adopted, Book, Needs};
use crate::{ChangeId, StoreError};

/// What a deletion leaves to be destroyed, or several changes together.
const CLOSED: &str = "";
/// Before the name of a version that was replaced or deleted.
const REPLACED: &str = "=";

pub(crate) struct BeginChange {
    pub reseller: ResellerId,
    pub change: ChangeId,
    pub now: Timestamp,
}

impl Write for BeginChange {
    type Answer = ();

    const NAME: &'static str = "begin_change";

    fn reseller(&self) -> Option<&ResellerId> {
        Some(&self.reseller)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.reseller_made(&self.reseller).changes.insert(self.reseller.clone());
    }

    fn run(&self, book: &mut Book) -> Result<(), StoreError> {
        changes(book, &self.reseller).entry(name(self.change)).or_insert(self.now);
        Ok(())
    }
}

/// What began before can no longer be committed, and is one thing to be destroyed.
pub(crate) struct CloseChanges {
    pub reseller: ResellerId,
    pub before: Timestamp,
}

impl Write for CloseChanges {
    /// The versions that were replaced before.
    type Answer = Vec<CredentialVersion>;

    const NAME: &'static str = "close_changes";

    fn reseller(&self) -> Option<&ResellerId> {
        Some(&self.reseller)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.reseller(&self.reseller).changes.insert(self.reseller.clone());
    }

    fn run(&self, book: &mut Book) -> Result<Vec<CredentialVersion>, StoreError> {
        let changes = changes(book, &self.reseller);
        let first = changes.values().copied().filter(|time| *time < self.before).min();
        if let Some(first) = first {
            changes.retain(|id, time| id == CLOSED || id.starts_with(REPLACED) || *time >= self.before);
            let closed = changes.entry(CLOSED.to_owned()).or_insert(first);
            *closed = first.min(*closed);
        }
        let due = changes.iter().filter(|(_, time)| **time < self.before);
        let names = due.filter_map(|(id, _)| id.strip_prefix(REPLACED));
        Ok(names.map(CredentialVersion::of_store).collect())
    }
}

/// What was closed and began before is destroyed, but what is out of reach: that is due again a while after `now`.
pub(crate) struct EndChanges {
    pub reseller: ResellerId,
    pub before: Timestamp,
    pub out_of_reach: Vec<CredentialVersion>,
    pub now: Timestamp,
}

impl Write for EndChanges {
    type Answer = ();

    const NAME: &'static str = "end_changes";

    fn reseller(&self) -> Option<&ResellerId> {
        Some(&self.reseller)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.reseller(&self.reseller).changes.insert(self.reseller.clone());
    }

    fn run(&self, book: &mut Book) -> Result<(), StoreError> {
        let changes = changes(book, &self.reseller);
        let is_closed = |id: &str| id == CLOSED || id.starts_with(REPLACED);
        changes.retain(|id, time| !is_closed(id) || *time >= self.before);
        changes.extend(self.out_of_reach.iter().map(|version| (replaced(version), self.now)));
        Ok(())
    }
}

/// The settings name another version, if they still name the one that was looked at.
pub(crate) struct AdoptCredential {
    pub reseller: ResellerId,
    pub until_now: CredentialVersion,
    pub credential: CredentialInfo,
    /// It was seen to work: a hold by broken settings is lifted.
    pub works: bool,
    pub now: Timestamp,
}

impl Write for AdoptCredential {
    type Answer = bool;

    const NAME: &'static str = "adopt_credential";

    fn reseller(&self) -> Option<&ResellerId> {
        Some(&self.reseller)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.reseller(&self.reseller).credentials.insert(self.reseller.clone());
        needs.changes.insert(self.reseller.clone());
    }

    fn run(&self, book: &mut Book) -> Result<bool, StoreError> {
        let reseller = &self.reseller;
        if book.lane(reseller).is_none() || book.credentials.get(reseller) != Some(&self.until_now) {
            return Ok(false);
        }
        let Some(row) = book.resellers.change(reseller) else { return Ok(false) };
        row.last_revision += 1;
        let revision = row.last_revision;
        let Some(lane) = row.lane.as_mut() else { return Ok(false) };
        lane.revision = revision;
        let was_held = lane.pause.is_none() && lane.hold.is_some();
        if self.works {
            (lane.finding, lane.hold) = (None, None);
        }
        note_replaced(book, reseller, self.now);
        let adopted = Adopted { credential: self.credential.clone(), revision, time: self.now };
        book.credentials.insert(reseller.clone(), self.credential.version.clone());
        book.written.adopted.insert(reseller.clone(), adopted);
        book.signal(reseller);
        book.due_anew(reseller, None);
        if was_held && self.works {
            book.tell_of_lane(reseller);
        }
        Ok(true)
    }

    fn is_audited(&self, is_adopted: &bool) -> bool {
        *is_adopted
    }
}

/// Whether the change is still there to be committed, with the settings that are put. What they replace is due from then on.
pub(super) fn commit(book: &mut Book, reseller: &ResellerId, change: ChangeId, now: Timestamp) -> bool {
    let id = name(change);
    if !book.changes.get(reseller).is_some_and(|changes| changes.contains_key(&id)) {
        return false;
    }
    changes(book, reseller).insert(id, now);
    note_replaced(book, reseller, now);
    true
}

/// The version that the settings name until now is to be destroyed some time.
fn note_replaced(book: &mut Book, reseller: &ResellerId, now: Timestamp) {
    if let Some(version) = book.credentials.get(reseller).map(replaced) {
        changes(book, reseller).insert(version, now);
    }
}

/// Puts under way fail; what lies in another store is still to be destroyed.
pub(super) fn delete(book: &mut Book, reseller: &ResellerId, now: Timestamp) {
    note_replaced(book, reseller, now);
    let changes = changes(book, reseller);
    changes.retain(|id, _| id.starts_with(REPLACED));
    changes.insert(CLOSED.to_owned(), now);
}

fn changes<'b>(
    book: &'b mut Book,
    reseller: &ResellerId,
) -> &'b mut std::collections::BTreeMap<String, Timestamp> {
    book.written.changes.insert(reseller.clone());
    book.changes.entry(reseller.clone()).or_default()
}

fn replaced(version: &CredentialVersion) -> String {
    format!("{REPLACED}{}", version.as_str())
}

fn name(change: ChangeId) -> String {
    change.0.simple().to_string()
}
