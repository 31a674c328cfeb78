//! What has been kept long enough goes, in small steps: content, history, request keys, events. And what nobody else will
//! resolve is resolved.
//!
//! Candidates come from reads without locks; each is looked at again here before it goes.

use postrider_domain::{
    AttemptEnd, AttemptNumber, Finding, FindingCode, MessageState, Outcome, Resolution, Verdict,
};

use super::{End, Write};
use crate::StoreError;
use crate::book::{AttemptKey, Book, MessageKey, Needs, RequestKey, Retention};
use crate::reads::OldEvent;

/// What may be over.
#[derive(Debug, Default)]
pub(crate) struct Over {
    pub contents: Vec<MessageKey>,
    pub history: Vec<MessageKey>,
    pub request_keys: Vec<(RequestKey, jiff::Timestamp)>,
    pub events: Vec<OldEvent>,
    /// Calls of test mails of resellers that have no lane, past their deadline.
    pub abandoned: Vec<AttemptKey>,
}

impl Over {
    fn sizes(&self) -> [usize; 5] {
        [
            self.contents.len(),
            self.history.len(),
            self.request_keys.len(),
            self.events.len(),
            self.abandoned.len(),
        ]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sizes() == [0; 5]
    }

    /// Whether as many as were asked for were found of any kind.
    pub(crate) fn is_full(&self, limit: u32) -> bool {
        usize::try_from(limit).is_ok_and(|limit| self.sizes().into_iter().any(|size| size >= limit))
    }
}

pub(crate) struct Purge {
    pub over: Over,
    pub retention: Retention,
}

impl Write for Purge {
    type Answer = ();

    const NAME: &'static str = "purge";

    fn needs(&self, needs: &mut Needs) {
        for (reseller, id) in self.over.contents.iter().chain(&self.over.history) {
            needs.reseller(reseller).message(reseller, *id);
        }
        for (reseller, id, number) in &self.over.abandoned {
            needs.reseller(reseller).message(reseller, *id).attempt(reseller, *id, AttemptNumber(*number));
        }
    }

    fn run(&self, book: &mut Book) -> Result<(), StoreError> {
        let now = book.now();
        for key in &self.over.contents {
            let is_over = book.messages.get(key).is_some_and(|row| row.purge_time.is_some_and(|t| t <= now));
            if is_over && let Some(row) = book.messages.change(key) {
                row.has_content = false;
                row.purge_time = None;
                book.written.purged.insert(key.clone());
            }
        }
        let kept_since = now.saturating_sub(self.retention.history).unwrap_or(jiff::Timestamp::MIN);
        for key in &self.over.history {
            if book.messages.get(key).is_some_and(|row| row.end_time.is_some_and(|end| end <= kept_since)) {
                book.written.ended_history.insert(key.clone());
            }
        }
        book.written.expired_keys.extend(self.over.request_keys.iter().cloned());
        for event in &self.over.events {
            book.written.old_events.insert((event.reseller.clone(), event.number));
            book.written.events_purged = book.written.events_purged.max(Some(event.position));
        }
        for (reseller, id, number) in &self.over.abandoned {
            let finding = Finding::new(FindingCode::OutcomeUnknown)
                .with("reason", "the process that made the call ended before the answer was written down");
            let end = AttemptEnd {
                message: *id,
                number: AttemptNumber(*number),
                end_time: now,
                verdict: Verdict::of(Outcome::InDoubt, finding),
                resolution: Resolution::End(MessageState::OutcomeUnknown),
            };
            End { reseller: reseller.clone(), end }.run(book)?;
        }
        Ok(())
    }
}
