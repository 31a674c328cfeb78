//! Settings and lane are put, woken and deleted together.
//!
//! An etag is the number of the settings: one more with every put, and going on where it was after a deletion, so that an
//! old etag never fits again.

use std::sync::Arc;

use jiff::Timestamp;
use postrider_domain::{Bug, Etag, Finding, FindingCode, MessageState, ResellerId, planted};

use super::{Write, credential_change, record, steer};
use crate::book::{Book, Change, LaneRow, Needs, SourceKey, source_key};
use crate::{Deleted, NewSettings, Put, StoreError, etag};

/// Messages that are cancelled in one transaction, when their settings are deleted.
const CANCELLED_AT_ONCE: u32 = 500;

pub(crate) struct PutSettings {
    pub new: Arc<NewSettings>,
}

impl Write for PutSettings {
    /// Why it was not saved.
    type Answer = Option<Put>;

    const NAME: &'static str = "put_settings";

    fn reseller(&self) -> Option<&ResellerId> {
        Some(&self.new.reseller)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.reseller_made(&self.new.reseller).mended.insert(self.new.reseller.clone());
        needs.set_aside.insert(self.new.reseller.clone());
        needs.changes.insert(self.new.reseller.clone());
        needs.credentials.insert(self.new.reseller.clone());
        needs.sources.extend(source_key(&self.new));
    }

    fn run(&self, book: &mut Book) -> Result<Option<Put>, StoreError> {
        let new = &self.new;
        let saved = book.lane(&new.reseller).map(|lane| etag(lane.revision));
        if new.expected.is_some() && new.expected != saved {
            return Ok(Some(Put::EtagMismatch));
        }
        let source = source_key(new);
        let directory = new.values.directory.to_string();
        if source.as_ref().is_some_and(|source| is_taken(book, source, &new.reseller, &directory)) {
            return Ok(Some(Put::SourceTaken));
        }
        if new.change.is_some_and(|change| !credential_change::commit(book, &new.reseller, change, new.now)) {
            return Ok(Some(Put::EtagMismatch));
        }
        let Some(row) = book.resellers.change(&new.reseller) else { return Ok(Some(Put::EtagMismatch)) };
        row.last_revision += 1;
        let revision = row.last_revision;
        let before = row.lane.take();
        let was_held = before.as_ref().is_some_and(|lane| lane.stop().is_some());
        row.lane = Some(lane(new, revision, before.as_ref()));
        let is_held = row.lane.as_ref().is_some_and(|lane| lane.stop().is_some());
        book.written.settings.insert(new.reseller.clone(), (Arc::clone(new), revision));
        book.written.adopted.remove(&new.reseller);
        book.sources.retain(|(_, by, _)| *by != new.reseller);
        book.sources.extend(source.map(|key| (key, new.reseller.clone(), directory)));
        book.credentials.insert(new.reseller.clone(), new.credential.version.clone());
        book.signal(&new.reseller);
        steer::goes_on(book, &new.reseller);
        if was_held && !is_held {
            book.tell_of_lane(&new.reseller);
        }
        Ok(None)
    }

    fn is_audited(&self, refused: &Option<Put>) -> bool {
        refused.is_none()
    }
}

/// Whether another reseller has a federated source. It changes nothing.
pub(crate) struct IsSourceTaken {
    pub reseller: ResellerId,
    pub source: SourceKey,
    pub directory: String,
}

impl Write for IsSourceTaken {
    type Answer = bool;

    const NAME: &'static str = "is_source_taken";

    fn reseller(&self) -> Option<&ResellerId> {
        Some(&self.reseller)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.sources.insert(self.source.clone());
    }

    fn run(&self, book: &mut Book) -> Result<bool, StoreError> {
        Ok(is_taken(book, &self.source, &self.reseller, &self.directory))
    }
}

fn is_taken(book: &Book, source: &SourceKey, reseller: &ResellerId, directory: &str) -> bool {
    book.sources
        .iter()
        .any(|(held, by, other)| held == source && by != reseller && may_be_one(other, directory))
}

/// Whether two names may be of one directory: it has one ID, and any number of domains.
fn may_be_one(one: &str, other: &str) -> bool {
    let is_id = |name| uuid::Uuid::try_parse(name).is_ok();
    one == other || !is_id(one) || !is_id(other)
}

/// The lane takes the mailbox, and a hold that the old settings caused is lifted; an operator's pause stays.
fn lane(new: &NewSettings, revision: i64, before: Option<&LaneRow>) -> LaneRow {
    let values = &new.values;
    let mailbox = values.mailbox.folded();
    let mut asked = before.map(LaneRow::asked).unwrap_or_default();
    asked.retain(|_, until| *until > new.now);
    let asked_until = asked.remove(&mailbox);
    LaneRow {
        revision,
        // What Microsoft asked of this mailbox still holds.
        wait_until: asked_until,
        asked_until,
        asked_elsewhere: asked,
        // What it may send is counted anew, by the limits of now.
        paced: None,
        mailbox,
        cloud: values.cloud,
        pace: values.pace,
        works: false,
        finding: new.finding.clone(),
        pause: before.filter(|_| !planted(Bug::PauseEndedBySettings)).and_then(|lane| lane.pause.clone()),
        hold: None,
        due_time: before.and_then(|lane| lane.due_time),
        lease: before.and_then(|lane| lane.lease),
    }
}

/// A test of the settings that have this etag passed.
pub(crate) struct SettingsWork {
    pub reseller: ResellerId,
    pub etag: Etag,
}

impl Write for SettingsWork {
    type Answer = ();

    const NAME: &'static str = "settings_work";

    fn reseller(&self) -> Option<&ResellerId> {
        Some(&self.reseller)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.reseller(&self.reseller).set_aside.insert(self.reseller.clone());
    }

    fn run(&self, book: &mut Book) -> Result<(), StoreError> {
        if book.lane(&self.reseller).is_some_and(|lane| etag(lane.revision) == self.etag) {
            record::works(book, &self.reseller);
            book.signal(&self.reseller);
            steer::goes_on(book, &self.reseller);
        }
        Ok(())
    }
}

/// Cancels some of what waits. Run again until nothing does.
pub(crate) struct CancelWaiting {
    pub reseller: ResellerId,
    pub expected: Option<Etag>,
    pub now: Timestamp,
}

impl Write for CancelWaiting {
    /// Whether more may wait.
    type Answer = bool;

    const NAME: &'static str = "cancel_waiting";

    fn reseller(&self) -> Option<&ResellerId> {
        Some(&self.reseller)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.reseller(&self.reseller).waiting.insert(self.reseller.clone(), CANCELLED_AT_ONCE);
        needs.open.insert(self.reseller.clone());
    }

    fn run(&self, book: &mut Book) -> Result<bool, StoreError> {
        if refused(book, &self.reseller, self.expected.as_ref(), true).is_some() {
            return Ok(false);
        }
        Ok(cancel(book, &self.reseller, self.now)? >= CANCELLED_AT_ONCE)
    }
}

pub(crate) struct DeleteSettings {
    pub reseller: ResellerId,
    pub expected: Option<Etag>,
    pub cancel_unfinished: bool,
    pub now: Timestamp,
}

impl Write for DeleteSettings {
    type Answer = Deleted;

    const NAME: &'static str = "delete_settings";

    fn reseller(&self) -> Option<&ResellerId> {
        Some(&self.reseller)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.reseller(&self.reseller).waiting.insert(self.reseller.clone(), CANCELLED_AT_ONCE);
        needs.open.insert(self.reseller.clone());
        needs.changes.insert(self.reseller.clone());
        needs.credentials.insert(self.reseller.clone());
    }

    fn run(&self, book: &mut Book) -> Result<Deleted, StoreError> {
        let refused = refused(book, &self.reseller, self.expected.as_ref(), self.cancel_unfinished);
        if let Some(refused) = refused {
            return Ok(refused);
        }
        cancel(book, &self.reseller, self.now)?;
        let Some(row) = book.resellers.change(&self.reseller) else { return Ok(Deleted::Missing) };
        if row.queued_messages > 0 {
            // They came while the others were cancelled.
            return Ok(Deleted::Unfinished(u32::try_from(row.queued_messages).unwrap_or(u32::MAX)));
        }
        row.lane = None;
        row.signal.0 += 1;
        book.set_data_key(&self.reseller, None);
        book.written.due.remove(&self.reseller);
        book.written.settings.remove(&self.reseller);
        book.written.adopted.remove(&self.reseller);
        credential_change::delete(book, &self.reseller, self.now);
        book.credentials.remove(&self.reseller);
        book.sources.retain(|(_, by, _)| *by != self.reseller);
        book.written.deleted.insert(self.reseller.clone());
        let ids: Vec<_> = book.messages_of(&self.reseller).map(|(id, _)| id).collect();
        for id in ids {
            if let Some(row) = book.messages.change(&(self.reseller.clone(), id)) {
                (row.has_content, row.purge_time) = (false, None);
            }
        }
        Ok(Deleted::Done)
    }

    fn is_audited(&self, deleted: &Deleted) -> bool {
        *deleted == Deleted::Done
    }
}

fn refused(
    book: &Book,
    reseller: &ResellerId,
    expected: Option<&Etag>,
    cancel_unfinished: bool,
) -> Option<Deleted> {
    let Some(lane) = book.lane(reseller) else { return Some(Deleted::Missing) };
    if expected.is_some_and(|expected| *expected != etag(lane.revision)) {
        return Some(Deleted::EtagMismatch);
    }
    let unfinished = book.resellers.get(reseller).map_or(0, |row| row.queued_messages);
    if !cancel_unfinished && unfinished > 0 {
        return Some(Deleted::Unfinished(u32::try_from(unfinished).unwrap_or(u32::MAX)));
    }
    let in_flight = book.attempts_of(reseller).filter(|(_, attempt)| attempt.end.is_none()).count();
    (in_flight > 0).then(|| Deleted::InFlight(u32::try_from(in_flight).unwrap_or(u32::MAX)))
}

/// A doubt is not hidden behind CANCELLED.
fn cancel(book: &mut Book, reseller: &ResellerId, now: Timestamp) -> Result<u32, StoreError> {
    let waiting: Vec<_> = book
        .messages_of(reseller)
        .filter(|(_, row)| row.state.waits())
        .map(|(id, row)| (id, row.in_doubt, row.finding.clone()))
        .collect();
    let mut cancelled = 0;
    for (id, in_doubt, own) in waiting {
        let (to, finding) = if in_doubt {
            let doubt = Finding::new(FindingCode::OutcomeUnknown)
                .with("reason", "an earlier attempt is in doubt, and the settings for another were deleted");
            (MessageState::OutcomeUnknown, Some(doubt))
        } else {
            (MessageState::Cancelled, own)
        };
        book.moves(reseller, id, Change { to, in_doubt, time: now }, finding, |_| {})?;
        cancelled += 1;
    }
    Ok(cancelled)
}
