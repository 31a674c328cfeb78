//! What the store and the dispatcher say to each other about a lane: the queue of one sender mailbox.
//!
//! A lane is leased by a random token. Lane state and the *start* of an attempt need the live token; an attempt's
//! *outcome* is written once by whoever started it, whatever the token, so that a late 202 is never thrown away.

use std::fmt;

use bytes::Bytes;
use jiff::Timestamp;

use crate::{
    AttemptNumber, Cloud, EmailAddress, Etag, Finding, FindingCode, InDoubtPolicy, MessageId, MessageState,
    PaceOverride, Priority, ResellerId, Verdict,
};

/// The queue of one sender mailbox. A reseller has one, since its settings name one mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lane {
    pub reseller: ResellerId,
    pub mailbox: EmailAddress,
}

/// 128 bits that never repeat, all but a few of them random; a write with another token changes nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LeaseToken([u8; 16]);

impl LeaseToken {
    /// Takes fresh random bits.
    pub fn of_random(bits: [u8; 16]) -> Self {
        Self(bits)
    }

    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for LeaseToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Why and how long a lane is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    pub finding: Finding,
    /// When one message is tried, to see whether the settings were mended at Microsoft's side.
    pub probe_time: Timestamp,
    /// Probes made so far; the gaps grow with them.
    pub probes: u32,
}

/// An operator stopped the lane; only an operator ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// The operator's own words; may be empty.
    pub reason: String,
    pub time: Timestamp,
}

impl Pause {
    pub fn finding(&self) -> Finding {
        Finding::new(FindingCode::SendingPaused).with("reason", &self.reason).with("since", self.time)
    }
}

/// Grows with every change that somebody else than its holder makes to a lane: by it the holder hears of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct LaneSignal(pub i64);

/// A call for the mailbox, at a moment that it did not begin after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecentCall {
    pub message: MessageId,
    pub number: AttemptNumber,
    pub time: Timestamp,
}

/// Recipients of calls begun within one hour of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HourOfRecipients {
    pub start: Timestamp,
    pub recipients: u32,
}

/// The right to drain one lane for a while, and what was found in it.
#[derive(Debug, Clone)]
pub struct Lease {
    pub lane: Lane,
    pub cloud: Cloud,
    pub token: LeaseToken,
    /// Of the settings that an attempt must be made with.
    pub settings: Etag,
    pub signal: LaneSignal,
    pub pause: Option<Pause>,
    pub hold: Option<Hold>,
    /// The reseller's own, lower limits.
    pub pace: PaceOverride,
    /// Calls for the mailbox within the last minute: pacing goes on where it was.
    pub recent_calls: Vec<RecentCall>,
    /// Recipients by the hour within the last day, oldest first.
    pub recent_recipients: Vec<HourOfRecipients>,
    /// Attempts of an earlier holder that nobody resolved. They count against the mailbox until their deadline, and
    /// are in doubt after it.
    pub open_attempts: Vec<OpenAttempt>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenAttempt {
    pub queued: Queued,
    pub number: AttemptNumber,
    pub call_deadline: Timestamp,
}

/// A message that waits in a leased lane: what deciding about it needs, and not its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    pub id: MessageId,
    pub priority: Priority,
    /// Attempts written so far.
    pub attempts: u32,
    /// Attempts that count for the growing gap between tries: not those of broken settings, limits and outages.
    pub backoffs: u32,
    /// An earlier attempt is in doubt and unresolved.
    pub in_doubt: bool,
    pub policy: InDoubtPolicy,
    pub due_time: Timestamp,
    pub expire_time: Timestamp,
    pub recipient_count: u32,
    pub content_bytes: u32,
}

/// What is sent, as it was accepted: the same bytes, Message-ID and date in every attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Opaque to store and dispatcher.
    pub body: Bytes,
    pub internet_message_id: Option<String>,
    pub create_time: Timestamp,
}

/// What is written down before the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptStart {
    pub message: MessageId,
    pub number: AttemptNumber,
    pub start_time: Timestamp,
    /// After this moment an unanswered call is in doubt.
    pub call_deadline: Timestamp,
    /// Of the settings it is made with; absent for a test of a candidate.
    pub settings: Option<Etag>,
    /// What the lane had heard; absent for whoever holds none.
    pub heard: Option<LaneSignal>,
}

/// What is written down after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptEnd {
    pub message: MessageId,
    pub number: AttemptNumber,
    pub end_time: Timestamp,
    pub verdict: Verdict,
    pub resolution: Resolution,
}

impl AttemptEnd {
    /// Until when Microsoft asked to wait, from when that was heard.
    pub fn asked_until(&self) -> Option<Timestamp> {
        let asked = self.verdict.retry_after.filter(|asked| !asked.is_zero())?;
        Some(self.end_time.saturating_add(asked).unwrap_or(Timestamp::MAX))
    }
}

/// What becomes of the message, and of its lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// An end state.
    End(MessageState),
    /// DEFERRED: due again at this time. `counts` makes the next gap longer.
    Again { at: Timestamp, counts: bool },
    /// DEFERRED, and the whole lane waits until this time (a limit, an outage).
    LaneWaits { until: Timestamp },
    /// The lane is held; the message is its first to be tried again.
    LaneHeld(Hold),
}
