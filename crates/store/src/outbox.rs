//! The way of a message through the database, in the verbs of the flow: accept, lease, record; and what a person does to it.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_domain::{
    AttemptEnd, AttemptNumber, AttemptStart, Cloud, Content, EmailAddress, Finding, InDoubtPolicy, Labels,
    Lane, LaneSignal, Lease, LeaseToken, Message, MessageId, MessageState, PaceLimits, Priority, Queued,
    RequestId, ResellerId,
};

use crate::StoreError;

/// How much of a reseller's mail may be unfinished at a time.
#[derive(Debug, Clone, Copy)]
pub struct QueueBounds {
    pub messages: i64,
    /// Of their stored content.
    pub bytes: i64,
}

impl QueueBounds {
    /// What is left of it beside one more message.
    pub(crate) fn without(self, bytes: i64) -> Self {
        Self { messages: self.messages - 1, bytes: self.bytes - bytes }
    }
}

/// What is unfinished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Queue {
    pub messages: i64,
    pub bytes: i64,
}

/// HMAC of all that makes two requests the same. It outlives purged content, so it is keyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentHash(pub [u8; 32]);

/// What is accepted.
#[derive(Debug, Clone)]
pub struct NewMessage {
    pub reseller: ResellerId,
    pub id: MessageId,
    pub request_id: Option<RequestId>,
    pub content_hash: ContentHash,
    /// Opaque here.
    pub content: Vec<u8>,
    pub internet_message_id: Option<String>,
    pub subject: String,
    pub recipient_count: u32,
    pub labels: Labels,
    pub priority: Priority,
    pub policy: InDoubtPolicy,
    pub create_time: Timestamp,
    /// In the future: SCHEDULED until then.
    pub send_time: Option<Timestamp>,
    pub expire_time: Timestamp,
}

#[derive(Debug, Clone)]
pub enum Accepted {
    New(Box<Message>),
    /// The same request was accepted before: its message as it is now.
    Replayed(Box<Message>),
    Refused(Refused),
}

/// Why a mail is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The request_id was used with other content.
    RequestIdReused,
    SettingsMissing,
    /// The reseller's part of the queue is taken.
    QueueFull,
    /// A test mail: its mailbox has as much in flight as it may have, or was asked to wait.
    MailboxBusy,
}

/// What became of many that are accepted together, or not at all.
#[derive(Debug, Clone)]
pub enum AllAccepted {
    All(Vec<Accepted>),
    /// None was accepted, for the one of this index was refused.
    None(usize, Refused),
}

/// How a message is retried.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    pub expire_time: Timestamp,
    /// One that is in doubt may arrive twice.
    pub accept_duplicate: bool,
    pub bounds: QueueBounds,
}

/// What became of a message that a person cancels or retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steered {
    Done,
    /// Nothing was to be done: it was cancelled before.
    AlreadySo,
    Missing,
    SettingsMissing,
    QueueFull,
    /// Its state, or an unresolved doubt, forbids it.
    Forbidden {
        state: MessageState,
        in_doubt: bool,
    },
    /// There is nothing left to send.
    ContentGone {
        state: MessageState,
    },
}

/// A test mail: written down with its first attempt started, never touched by a lane, never tried again.
#[derive(Debug, Clone)]
pub struct TestMail {
    pub message: NewMessage,
    /// Whose pace it counts in: a candidate's need not be the lane's.
    pub mailbox: EmailAddress,
    /// That hold for the mailbox, over all replicas.
    pub limits: PaceLimits,
    pub start: AttemptStart,
}

#[derive(Debug, Clone, Default)]
pub struct MessageFilter {
    /// As a caller sees them; empty: all. HELD is a waiting message of a held lane.
    pub states: Vec<MessageState>,
    /// All given pairs match.
    pub labels: Labels,
    /// Messages older than this one: pages go from the newest to the oldest.
    pub before: Option<MessageId>,
    pub limit: u32,
}

#[derive(Debug, Clone)]
pub struct MessagePage {
    pub messages: Vec<Message>,
    /// Whether there is more after the last.
    pub more: bool,
}

#[async_trait]
pub trait Outbox: Send + Sync {
    // accept

    /// Message, request key, content, event and due lane in one transaction, committed before the answer.
    async fn accept(&self, message: NewMessage, bounds: QueueBounds) -> Result<Accepted, StoreError>;
    /// All in one transaction, or none.
    async fn accept_all(
        &self,
        messages: Vec<NewMessage>,
        bounds: QueueBounds,
    ) -> Result<AllAccepted, StoreError>;
    /// What `accept` would answer, without storing: `None` where it would be new.
    async fn accepted_before(
        &self,
        reseller: &ResellerId,
        request_id: &RequestId,
        content_hash: &ContentHash,
    ) -> Result<Option<Accepted>, StoreError>;
    /// As `accept`, but for settings and queue, which it does not ask for: only on `New` is the attempt the caller's to make.
    async fn accept_test(&self, test: TestMail) -> Result<Accepted, StoreError>;

    // read

    async fn get_message(&self, reseller: &ResellerId, id: &MessageId)
    -> Result<Option<Message>, StoreError>;
    async fn list_messages(
        &self,
        reseller: &ResellerId,
        filter: MessageFilter,
    ) -> Result<MessagePage, StoreError>;
    /// `None` once purged.
    async fn content(&self, reseller: &ResellerId, id: &MessageId) -> Result<Option<Content>, StoreError>;
    /// Of all resellers, as it was a moment ago.
    async fn queue(&self) -> Result<Queue, StoreError>;

    // steer

    /// CANCELLED, for a message that waits and is not in doubt; one that is cancelled already stays so.
    async fn cancel(&self, reseller: &ResellerId, id: &MessageId) -> Result<Steered, StoreError>;
    /// ACCEPTED again, due at once, with a fresh expiry: for what ended without SENT, or is DEFERRED. One that is in doubt
    /// only if its caller accepts that it may arrive twice.
    async fn retry(&self, reseller: &ResellerId, id: &MessageId, retry: Retry)
    -> Result<Steered, StoreError>;
    /// Waiting messages read as HELD, and none is tried. `false`: there are no settings.
    async fn pause(&self, reseller: &ResellerId, reason: &str) -> Result<bool, StoreError>;
    /// Ends a pause, and tries a held lane at once. `false`: there are no settings.
    async fn resume(&self, reseller: &ResellerId) -> Result<bool, StoreError>;

    // lease

    /// Lanes with work at `now` that nobody holds, the longest due first, but for those of some clouds. Reads without a lock.
    async fn due_lanes(&self, now: Timestamp, limit: u32, except: &[Cloud]) -> Result<Vec<Lane>, StoreError>;
    /// When the next lane that nobody holds is due, or the next lease of another runs out: when to call `due_lanes` again.
    async fn next_due(&self, except: &[Cloud]) -> Result<Option<Timestamp>, StoreError>;
    /// `None`: another took it first, it is not due any more, or it cannot be read, which is logged. The lease begins no
    /// sooner than it was asked for, by the clock that all replicas share.
    async fn lease(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        duration: Duration,
    ) -> Result<Option<Lease>, StoreError>;
    /// `None`: the lease is lost. Else what its holder may have to hear of.
    async fn renew(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        duration: Duration,
    ) -> Result<Option<LaneSignal>, StoreError>;
    /// The lease as it would be given now: settings may have changed, and open attempts may have ended. `None`: it is lost.
    async fn reread(&self, reseller: &ResellerId, token: LeaseToken) -> Result<Option<Lease>, StoreError>;
    /// Gives the lane back; it is due again at its next message, probe, expiry, or open attempt's deadline.
    /// `pace_until`: the mailbox's pace allows no message before. It holds the lane's messages back, not expiry, and is looked
    /// at again within a minute, for its limits may change.
    async fn release(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        pace_until: Option<Timestamp>,
    ) -> Result<(), StoreError>;
    /// Ends waiting messages whose time ran out: EXPIRED, or OUTCOME_UNKNOWN with a doubt. Returns them. In a lane that is
    /// stopped it also tells of what came due meanwhile.
    async fn expire(&self, reseller: &ResellerId, token: LeaseToken) -> Result<Vec<MessageId>, StoreError>;
    /// Messages to try now whose content is of fewer bytes, by priority, due time and id: so many of each priority.
    async fn next_queued(
        &self,
        reseller: &ResellerId,
        now: Timestamp,
        limit: u32,
        content_below: u32,
    ) -> Result<Vec<Queued>, StoreError>;

    // record

    /// Written down before the call. `false`: the lease is lost, the lane is paused, the settings are others, or the
    /// message no longer waits; nothing was written.
    async fn start_attempt(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        start: AttemptStart,
    ) -> Result<bool, StoreError>;
    /// Outcome, message and lane in one transaction. Under the lane's token the lane waits as long as the verdict's
    /// `retry_after` asks, whatever the outcome and the resolution.
    ///
    /// An attempt that was resolved before stays as it is: news is kept beside it, and a 202 lifts the message to SENT.
    async fn end_attempt(&self, reseller: &ResellerId, end: AttemptEnd) -> Result<(), StoreError>;
    /// Start and end of an attempt that never left (no token): one write. `false` as for `start_attempt`.
    async fn refuse_attempt(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        start: AttemptStart,
        end: AttemptEnd,
    ) -> Result<bool, StoreError>;
    /// OUTCOME_UNKNOWN with an attempt in doubt, whatever its policy, for what waits or is in flight: another may have sent it.
    /// `attempt` is its open attempt, or its next. `false`: it is not there, has ended, or that is no such attempt.
    async fn doubt(
        &self,
        reseller: &ResellerId,
        id: &MessageId,
        attempt: AttemptNumber,
        finding: Finding,
    ) -> Result<bool, StoreError>;

    // purge

    /// One small step: content, history, request keys and events that have been kept long enough go, and what nobody else
    /// resolves is resolved. Whether there may be more.
    async fn purge(&self) -> Result<bool, StoreError>;
}
