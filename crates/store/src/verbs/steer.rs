//! What a person does: cancel and retry messages, pause and resume a lane.
//!
//! Nothing here hides a doubt: what is in flight or in doubt is not cancelled, and is retried only by one who accepts that
//! it may arrive twice.

use postrider_domain::{Bug, MessageId, MessageState, ResellerId, planted};

use super::Write;
use crate::book::{Book, Change, LaneRow, MessageRow, Needs};
use crate::{Retry, Steered, StoreError};

pub(crate) struct Cancel {
    pub reseller: ResellerId,
    pub id: MessageId,
}

impl Write for Cancel {
    type Answer = Steered;

    const NAME: &'static str = "cancel";

    fn reseller(&self) -> Option<&ResellerId> {
        Some(&self.reseller)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.reseller(&self.reseller).message(&self.reseller, self.id);
    }

    fn run(&self, book: &mut Book) -> Result<Steered, StoreError> {
        let Some(row) = book.messages.get(&(self.reseller.clone(), self.id)) else {
            return Ok(Steered::Missing);
        };
        if row.state == MessageState::Cancelled {
            return Ok(Steered::AlreadySo);
        }
        if !row.state.waits() || (row.in_doubt && !planted(Bug::DoubtCancelled)) {
            return Ok(Steered::Forbidden { state: row.state, in_doubt: row.in_doubt });
        }
        let change = Change { to: MessageState::Cancelled, in_doubt: false, time: book.now() };
        book.moves(&self.reseller, self.id, change, None, |_| {})?;
        Ok(Steered::Done)
    }
}

/// Waits again, at once, as if it had just been accepted; its history and its gaps go on.
pub(crate) struct RetryMessage {
    pub reseller: ResellerId,
    pub id: MessageId,
    pub how: Retry,
}

impl Write for RetryMessage {
    type Answer = Steered;

    const NAME: &'static str = "retry_message";

    fn reseller(&self) -> Option<&ResellerId> {
        Some(&self.reseller)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.reseller(&self.reseller).message(&self.reseller, self.id);
    }

    fn run(&self, book: &mut Book) -> Result<Steered, StoreError> {
        let Some(row) = book.messages.get(&(self.reseller.clone(), self.id)) else {
            return Ok(Steered::Missing);
        };
        if !row.has_content && row.state.may_become(MessageState::Accepted) {
            return Ok(Steered::ContentGone { state: row.state });
        }
        if !self.admits(row) {
            return Ok(Steered::Forbidden { state: row.state, in_doubt: row.in_doubt });
        }
        if book.lane(&self.reseller).is_none() {
            return Ok(Steered::SettingsMissing);
        }
        if row.state.is_end() && !self.has_room(book, row) {
            return Ok(Steered::QueueFull);
        }
        let now = book.now();
        let change = Change { to: MessageState::Accepted, in_doubt: row.in_doubt, time: now };
        book.moves(&self.reseller, self.id, change, None, |row| {
            row.due_time = now;
            row.expire_time = self.how.expire_time;
            row.backoffs = 0;
        })?;
        goes_on(book, &self.reseller);
        Ok(Steered::Done)
    }

    fn is_audited(&self, steered: &Steered) -> bool {
        *steered == Steered::Done
    }
}

impl RetryMessage {
    fn admits(&self, row: &MessageRow) -> bool {
        let doubts = row.in_doubt && !self.how.accept_duplicate;
        !row.is_test
            && !doubts
            && row.state != MessageState::Scheduled
            && row.state.may_become(MessageState::Accepted)
    }

    fn has_room(&self, book: &Book, row: &MessageRow) -> bool {
        book.resellers.get(&self.reseller).is_some_and(|queue| {
            queue.queued_messages < self.how.bounds.messages
                && queue.queued_bytes + row.content_bytes <= self.how.bounds.bytes
        })
    }
}

pub(crate) struct Pause {
    pub reseller: ResellerId,
    pub reason: String,
}

impl Write for Pause {
    /// Whether there is a lane.
    type Answer = bool;

    const NAME: &'static str = "pause";

    fn reseller(&self) -> Option<&ResellerId> {
        Some(&self.reseller)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.reseller(&self.reseller);
    }

    fn run(&self, book: &mut Book) -> Result<bool, StoreError> {
        let pause = postrider_domain::Pause { reason: self.reason.clone(), time: book.now() };
        Ok(stop_or_go(book, &self.reseller, |lane| lane.pause = Some(pause)))
    }

    fn is_audited(&self, is_there: &bool) -> bool {
        *is_there
    }
}

/// Ends an operator's pause, and a hold with it: the next message tells whether the settings work. What the pace allows is
/// counted anew.
pub(crate) struct Resume {
    pub reseller: ResellerId,
}

impl Write for Resume {
    type Answer = bool;

    const NAME: &'static str = "resume";

    fn reseller(&self) -> Option<&ResellerId> {
        Some(&self.reseller)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.reseller(&self.reseller).set_aside.insert(self.reseller.clone());
    }

    fn run(&self, book: &mut Book) -> Result<bool, StoreError> {
        let now = book.now();
        goes_on(book, &self.reseller);
        Ok(stop_or_go(book, &self.reseller, |lane| {
            lane.pause = None;
            lane.paced = None;
            if let Some(hold) = &mut lane.hold {
                hold.probe_time = now;
            }
        }))
    }

    fn is_audited(&self, is_there: &bool) -> bool {
        *is_there
    }
}

fn stop_or_go(book: &mut Book, reseller: &ResellerId, change: impl FnOnce(&mut LaneRow)) -> bool {
    let Some(lane) = book.change_lane(reseller) else { return false };
    let before = lane.stop();
    change(lane);
    let after = lane.stop();
    book.signal(reseller);
    book.due_anew(reseller, None);
    if before != after {
        book.tell_of_lane(reseller);
    }
    true
}

/// Somebody says that the lane may go on: what it only guessed to wait for is over, and mail that had more recipients than a day
/// might have is looked at again. What Microsoft asked for holds.
pub(super) fn goes_on(book: &mut Book, reseller: &ResellerId) {
    let now = book.now();
    let Some(lane) = book.change_lane(reseller) else { return };
    lane.wait_until = lane.asked_until;
    let set_aside: Vec<_> =
        book.messages_of(reseller).filter(|(_, row)| row.is_set_aside(now)).map(|(id, _)| id).collect();
    for id in set_aside {
        if let Some(row) = book.messages.change(&(reseller.clone(), id)) {
            row.due_time = now;
        }
    }
    book.due_anew(reseller, None);
}
