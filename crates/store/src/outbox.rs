//! The way of a message through the database, in the verbs of the flow: accept, lease, record.

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_domain::{
    AttemptEnd, AttemptStart, Content, EmailAddress, InDoubtPolicy, Labels, Lane, Lease, LeaseToken, Message,
    MessageId, MessageState, Priority, Queued, RequestId, ResellerId,
};

use crate::StoreError;

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
    /// The request_id was used with other content.
    RequestIdReused,
    SettingsMissing,
}

/// A test mail: written down with its first attempt started, never touched by a lane, never tried again.
#[derive(Debug, Clone)]
pub struct TestMail {
    pub message: NewMessage,
    /// Whose pace it counts in: a candidate's need not be the lane's.
    pub mailbox: EmailAddress,
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

    /// Message, request key, content and due lane in one transaction, committed before the answer.
    async fn accept(&self, message: NewMessage) -> Result<Accepted, StoreError>;
    /// What `accept` would answer, without storing: `None` where it would be new.
    async fn accepted_before(
        &self,
        reseller: &ResellerId,
        request_id: &RequestId,
        content_hash: &ContentHash,
    ) -> Result<Option<Accepted>, StoreError>;
    /// As `accept`, but for the settings, which it does not ask for: only on `New` is the attempt the caller's to make.
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

    // lease

    /// Lanes with work at `now` that nobody holds, the longest due first. Reads without a lock.
    async fn due_lanes(&self, now: Timestamp, limit: u32) -> Result<Vec<Lane>, StoreError>;
    /// When the next lane that nobody holds is due, or the next lease of another runs out: when to call `due_lanes` again.
    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError>;
    /// `None`: another took it first, it is not due any more, or it cannot be read, which is logged.
    async fn lease(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Lease>, StoreError>;
    /// `false`: the lease is lost.
    async fn renew(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        until: Timestamp,
    ) -> Result<bool, StoreError>;
    /// The lease as it would be given now: settings may have changed, and open attempts may have ended. `None`: it is lost.
    async fn reread(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        now: Timestamp,
    ) -> Result<Option<Lease>, StoreError>;
    /// Gives the lane back; it is due again at its next message, probe, expiry, or open attempt's deadline.
    /// `pace_until`: the mailbox's pace allows no message before; it holds the lane's messages back, not expiry.
    async fn release(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        pace_until: Option<Timestamp>,
    ) -> Result<(), StoreError>;
    /// Ends waiting messages whose time ran out: EXPIRED, or OUTCOME_UNKNOWN with a doubt. Returns them.
    async fn expire(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        now: Timestamp,
    ) -> Result<Vec<MessageId>, StoreError>;
    /// Messages to try now, in the order of the lane.
    async fn next_queued(
        &self,
        reseller: &ResellerId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Queued>, StoreError>;

    // record

    /// Written down before the call. `false`: the lease is lost, or the message no longer waits; nothing was written.
    async fn start_attempt(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        start: AttemptStart,
    ) -> Result<bool, StoreError>;
    /// Outcome, message and lane in one transaction. A message that ends SENT or CANCELLED loses its content. Under the
    /// lane's token the lane waits as long as the verdict's `retry_after` asks, whatever the outcome and the resolution.
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
}
