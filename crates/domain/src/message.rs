//! A message: one accepted email with its state and history.
//!
//! ```text
//!  SCHEDULED ─┐                      ┌─▶ SENT               Graph answered 202
//!             ▼                      │
//!  ACCEPTED ─▶ SENDING ──────────────┼─▶ FAILED             its own fault
//!     │          ▲  │                ├─▶ OUTCOME_UNKNOWN    in doubt, and not to be tried again
//!     │          │  └─▶ DEFERRED ─┐  └─▶ EXPIRED            its time ran out
//!     │          └────────────────┘
//!     └─▶ CANCELLED
//! ```
//! HELD is not stored: it is how a waiting message reads while its lane is held. A late 202 lifts any state to SENT.
//! A retry by hand brings what ended otherwise, or is DEFERRED, back to ACCEPTED.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use uuid::Uuid;

use crate::{Finding, Outcome, ResellerId, Violations, limits};

/// A UUID (version 7) in its hyphenated form; sorts by time of acceptance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(Uuid);

impl MessageId {
    /// Takes a fresh UUID. Whoever makes it owns the source of chance.
    pub const fn of_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// `None` is also the answer to an id that nobody can have been given.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 36).then(|| Uuid::try_parse(text).ok().map(Self)).flatten()
    }

    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    pub fn as_uuid(&self) -> Uuid {
        self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.hyphenated())
    }
}

/// The caller's own name of a request: the same name with the same content is the same message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {max} visible ASCII characters", max = limits::REQUEST_ID_CHARS_MAX)]
pub struct NotARequestId;

impl RequestId {
    pub fn parse(text: &str) -> Result<Self, NotARequestId> {
        let fits = (1..=limits::REQUEST_ID_CHARS_MAX).contains(&text.len());
        if fits && text.bytes().all(|b| b.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotARequestId)
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The caller's own marks, to find messages by.
pub type Labels = BTreeMap<String, String>;

/// Labels within their limits; what is not is noted under `field`.
pub(crate) fn parse_labels(labels: Labels, field: &str, violations: &mut Violations) -> Labels {
    if labels.len() > limits::LABELS_MAX {
        violations.push(field, format!("must have at most {} entries", limits::LABELS_MAX));
    }
    for (key, value) in labels.iter().take(limits::LABELS_MAX) {
        let key_fits = !key.is_empty()
            && key.len() <= limits::LABEL_KEY_CHARS_MAX
            && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/".contains(&b));
        if !key_fits {
            violations
                .push(field, "a key must be 1 to 63 letters, digits, dots, slashes, hyphens or underscores");
        } else if value.chars().count() > limits::LABEL_VALUE_CHARS_MAX || value.chars().any(char::is_control)
        {
            violations.push(
                format!("{field}[\"{key}\"]"),
                "must be at most 255 characters, none of them a control character",
            );
        }
    }
    labels
}

impl Violations {
    /// Labels of a request, each checked against its limits.
    pub fn labels(&mut self, field: &str, labels: Labels) -> Labels {
        parse_labels(labels, field, self)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageState {
    Accepted,
    Scheduled,
    Sending,
    Deferred,
    Held,
    Sent,
    OutcomeUnknown,
    Failed,
    Cancelled,
    Expired,
}

impl MessageState {
    pub const ALL: [Self; 10] = [
        Self::Accepted,
        Self::Scheduled,
        Self::Sending,
        Self::Deferred,
        Self::Held,
        Self::Sent,
        Self::OutcomeUnknown,
        Self::Failed,
        Self::Cancelled,
        Self::Expired,
    ];

    /// The name under which it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Scheduled => "scheduled",
            Self::Sending => "sending",
            Self::Deferred => "deferred",
            Self::Held => "held",
            Self::Sent => "sent",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Whether nothing more happens by itself.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Sent | Self::OutcomeUnknown | Self::Failed | Self::Cancelled | Self::Expired)
    }

    /// Whether it waits to be tried.
    pub fn waits(self) -> bool {
        matches!(self, Self::Accepted | Self::Scheduled | Self::Deferred)
    }

    /// The moves of the diagram above, between stored states.
    pub fn may_become(self, next: Self) -> bool {
        use MessageState::{
            Accepted, Cancelled, Deferred, Expired, Failed, OutcomeUnknown, Scheduled, Sending, Sent,
        };
        match next {
            Accepted => matches!(self, Scheduled | Deferred | Failed | Expired | Cancelled | OutcomeUnknown),
            Sending | Cancelled | Expired => self.waits(),
            Deferred | Failed => self == Sending,
            OutcomeUnknown => self == Sending || self.waits(),
            Sent => matches!(
                self,
                Accepted | Scheduled | Sending | Deferred | Failed | Expired | Cancelled | OutcomeUnknown
            ),
            Scheduled | Self::Held => false,
        }
    }

    /// Whether a caller who waits for SENT is answered.
    pub fn ends_a_wait(self) -> bool {
        self.is_end() || self == Self::Held
    }
}

/// Within a lane, urgent mail goes before normal, normal before bulk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Priority {
    Urgent,
    #[default]
    Normal,
    Bulk,
}

impl Priority {
    pub const ALL: [Self; 3] = [Self::Urgent, Self::Normal, Self::Bulk];

    /// The number under which it is stored: smaller goes first.
    pub fn rank(self) -> u8 {
        match self {
            Self::Urgent => 0,
            Self::Normal => 1,
            Self::Bulk => 2,
        }
    }

    pub fn of_rank(rank: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|priority| i64::from(priority.rank()) == rank)
    }
}

/// What becomes of a message whose call was never answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum InDoubtPolicy {
    /// It is tried again, with the same Message-ID, and its history says so.
    #[default]
    AtLeastOnce,
    /// It ends as OUTCOME_UNKNOWN.
    AtMostOnce,
}

impl InDoubtPolicy {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AtLeastOnce => "at_least_once",
            Self::AtMostOnce => "at_most_once",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::AtLeastOnce, Self::AtMostOnce].into_iter().find(|policy| policy.as_str() == name)
    }
}

/// Attempts of a message are counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptNumber(pub u32);

/// One try to hand the message to Microsoft, as its history shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub number: AttemptNumber,
    pub start_time: Timestamp,
    /// Both absent while the call is in flight.
    pub end_time: Option<Timestamp>,
    pub outcome: Option<Outcome>,
    pub finding: Option<Finding>,
    pub graph_request_id: Option<String>,
}

/// One accepted email as its caller sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub reseller: ResellerId,
    pub id: MessageId,
    pub request_id: Option<RequestId>,
    pub state: MessageState,
    /// With its `< >`. Absent where the payload must be JSON, which cannot carry it.
    pub internet_message_id: Option<String>,
    pub create_time: Timestamp,
    pub update_time: Timestamp,
    pub send_time: Option<Timestamp>,
    pub expire_time: Timestamp,
    /// When it is likely to be tried next.
    pub next_attempt_time: Option<Timestamp>,
    /// Oldest first.
    pub attempts: Vec<Attempt>,
    pub finding: Option<Finding>,
    pub subject: String,
    pub recipient_count: u32,
    pub labels: Labels,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_is_visible_ascii() {
        for good in ["a", "order-4711/…".trim_end_matches('…'), &"x".repeat(128)] {
            assert!(RequestId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a\n", "é", &"x".repeat(129)] {
            assert_eq!(RequestId::parse(bad), Err(NotARequestId), "{bad:?}");
        }
    }

    #[test]
    fn nothing_leaves_sent_and_nothing_is_stored_as_held() {
        for state in MessageState::ALL {
            assert!(!MessageState::Sent.may_become(state), "{state:?}");
            assert!(!state.may_become(MessageState::Held) && !state.may_become(state), "{state:?}");
        }
    }

    #[test]
    fn stored_names_read_back() {
        for state in MessageState::ALL {
            assert_eq!(MessageState::parse(state.as_str()), Some(state));
        }
        for priority in Priority::ALL {
            assert_eq!(Priority::of_rank(i64::from(priority.rank())), Some(priority));
        }
    }
}
