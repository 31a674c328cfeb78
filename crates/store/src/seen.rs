//! A message as its caller sees it: HELD, and when it is likely to be tried next, are derived here from its lane.
//!
//! Nothing is written to a lane's messages when it is stopped or freed. `read/messages.sql` filters by the same rule.

use jiff::Timestamp;
use postrider_domain::{Finding, MessageState};

/// What a waiting message shows of its lane.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LaneSeen {
    /// It is paused or held, and so waiting messages are HELD.
    pub stop: Option<Finding>,
    /// No message is tried before.
    pub not_before: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub state: MessageState,
    pub next_attempt_time: Option<Timestamp>,
    pub finding: Option<Finding>,
}

impl LaneSeen {
    /// `state`, `due` and `finding` are the message's own.
    pub(crate) fn shows(
        self,
        state: MessageState,
        due: Timestamp,
        finding: Option<&Finding>,
        now: Timestamp,
    ) -> Seen {
        let own = |next_attempt_time| Seen { state, next_attempt_time, finding: finding.cloned() };
        if !state.waits() {
            return own(None);
        }
        match self.stop {
            Some(stop) if state != MessageState::Scheduled || due <= now => {
                Seen { state: MessageState::Held, next_attempt_time: None, finding: Some(stop) }
            }
            _ => own(Some(due).max(self.not_before)),
        }
    }
}
