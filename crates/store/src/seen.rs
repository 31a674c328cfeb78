//! A message as its caller sees it: HELD, and when it is likely to be tried next, are derived here from its lane.
//!
//! Nothing is written to a lane's messages when it is stopped or freed. `read/messages.sql` filters by the same rule.

use jiff::Timestamp;
use postrider_domain::{Finding, MessageId, MessageState, Priority, limits};

/// By what a place in the queue becomes a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outlook {
    pub now: Timestamp,
    /// The operator's limit of a mailbox, unless its settings lower it; 0: none.
    pub messages_per_minute: u32,
}

impl Outlook {
    /// When so many have gone.
    fn after(self, ahead: u32, lowered: Option<u32>, not_before: Option<Timestamp>) -> Option<Timestamp> {
        let minutes = ahead.checked_div(lowered.unwrap_or(self.messages_per_minute)).filter(|n| *n > 0)?;
        let from = not_before.map_or(self.now, |time| time.max(self.now));
        Some(from.saturating_add(limits::PACE_MINUTE * minutes).unwrap_or(Timestamp::MAX))
    }
}

/// Where a waiting message stands in its lane.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub priority: Priority,
    pub due: Timestamp,
    pub id: MessageId,
}

impl Place {
    /// What is due later does not go before it.
    pub(crate) fn until(self, now: Timestamp) -> Timestamp {
        self.due.max(now)
    }
}

/// The first of a lane's queue: for each priority, those that are due by a time, in their order.
#[derive(Debug, Default)]
pub(crate) struct Front([Vec<(Timestamp, MessageId)>; Priority::ALL.len()]);

impl Front {
    pub(crate) fn of(&mut self, priority: Priority) -> &mut Vec<(Timestamp, MessageId)> {
        &mut self.0[usize::from(priority.rank())]
    }

    /// How many go before it, as far as they are counted.
    pub(crate) fn ahead(&self, place: Place, now: Timestamp) -> u32 {
        let (better, own) = self.0.split_at(usize::from(place.priority.rank()));
        let until = place.until(now);
        let of_better = better.iter().map(|queue| queue.partition_point(|(due, _)| *due <= until));
        let of_own = own.iter().take(1).map(|queue| queue.partition_point(|it| *it < (place.due, place.id)));
        let ahead = of_better.chain(of_own).sum::<usize>();
        u32::try_from(ahead).unwrap_or(u32::MAX).min(limits::PLACES_COUNTED)
    }
}

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
    /// For a message with so many before it, of which so many go in a minute.
    pub(crate) fn behind(self, ahead: u32, lowered: Option<u32>, outlook: Outlook) -> Self {
        let not_before = self.not_before.max(outlook.after(ahead, lowered, self.not_before));
        Self { not_before, ..self }
    }

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
