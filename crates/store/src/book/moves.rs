//! The moves of a message from state to state, and all that moves with it.
//!
//! Whatever moves a message tells an event. An end gives back its place in the queue and sets when its content and its
//! request key go; a retry takes all that back.

use std::time::Duration;

use jiff::Timestamp;
use postrider_domain::{Bug, Finding, MessageId, MessageState, ResellerId, limits, planted};

use super::{Book, MessageRow, WaitedRow};
use crate::StoreError;

/// How long what ended is kept.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// After SENT. Zero: it goes with the write that ends the message.
    pub content: Duration,
    /// Of a message that has ended, without its content.
    pub history: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self { content: Duration::ZERO, history: limits::HISTORY_KEPT }
    }
}

impl Retention {
    /// How long after its end a message can still be retried, or looked into.
    fn of(self, state: MessageState) -> Duration {
        match state {
            MessageState::Sent => self.content,
            MessageState::Cancelled => self.content.max(limits::CANCELLED_CONTENT_KEPT),
            _ => limits::UNSENT_CONTENT_KEPT,
        }
    }
}

/// Where a message moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    pub to: MessageState,
    pub in_doubt: bool,
    pub time: Timestamp,
}

impl Book {
    /// Moves the message. `set` does what else changes with the move.
    pub(crate) fn moves(
        &mut self,
        reseller: &ResellerId,
        id: MessageId,
        change: Change,
        finding: Option<Finding>,
        set: impl FnOnce(&mut MessageRow),
    ) -> Result<(), StoreError> {
        let key = (reseller.clone(), id);
        let before = self.message(reseller, id)?.clone();
        if !before.state.may_become(change.to) {
            let row = format!("{reseller}/{id}");
            return Err(StoreError::Inconsistent { table: "messages", column: "state", row });
        }
        let Some(row) = self.messages.change(&key) else { return Ok(()) };
        row.state = change.to;
        row.in_doubt = change.in_doubt;
        row.update_time = change.time;
        row.finding = finding;
        set(row);
        match (before.state.is_end(), change.to.is_end()) {
            (false, true) => {
                let given_back = i64::from(!planted(Bug::PlaceNotGivenBack));
                self.queued(reseller, -given_back, -before.content_bytes);
                self.ended(&key.0, id, change);
            }
            (true, true) => self.ended(&key.0, id, change),
            (true, false) => {
                self.queued(reseller, 1, before.content_bytes);
                self.waits_again(reseller, id);
            }
            (false, false) => {}
        }
        if planted(Bug::ContentGoneEarly) && change.to == MessageState::Deferred {
            self.written.purged.insert(key);
        }
        if planted(Bug::EndNotTold) && change.to == MessageState::Expired {
            return Ok(());
        }
        let waits = matches!(before.state, MessageState::Accepted | MessageState::Deferred);
        let waited = WaitedRow { since: before.last_event, state: before.state };
        self.tell_after(reseller, id, (waits && !planted(Bug::WaitsForgotten)).then_some(waited))
    }

    fn queued(&mut self, reseller: &ResellerId, messages: i64, bytes: i64) {
        if let Some(row) = self.resellers.change(reseller) {
            row.queued_messages += messages;
            row.queued_bytes += bytes;
        }
    }

    fn ended(&mut self, reseller: &ResellerId, id: MessageId, change: Change) {
        let key = (reseller.clone(), id);
        let kept = self.retention.of(change.to);
        let Some(row) = self.messages.change(&key) else { return };
        row.end_time = Some(change.time);
        row.purge_time = row.has_content.then(|| later(change.time, kept));
        let request_key = row.request_id.clone().map(|request_id| (reseller.clone(), request_id));
        let keep_key_until = later(change.time.max(row.create_time), limits::REQUEST_ID_KEPT);
        if kept.is_zero() && row.has_content {
            row.has_content = false;
            row.purge_time = None;
            self.written.purged.insert(key);
        }
        if let Some(request_key) = request_key {
            self.written.key_expiries.insert(request_key, Some(keep_key_until));
        }
    }

    fn waits_again(&mut self, reseller: &ResellerId, id: MessageId) {
        let Some(row) = self.messages.change(&(reseller.clone(), id)) else { return };
        row.end_time = None;
        row.purge_time = None;
        if let Some(request_id) = row.request_id.clone() {
            self.written.key_expiries.insert((reseller.clone(), request_id), None);
        }
    }
}

/// Saturating, as all times of the far future.
pub(super) fn later(time: Timestamp, by: Duration) -> Timestamp {
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}
