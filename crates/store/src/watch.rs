//! What changed, for those who watch.
//!
//! Events of a reseller are numbered without a gap, for whoever writes them holds the reseller's row. Those of all resellers
//! are told in the order of their transactions, and only once none that is still open can precede them: commits land out
//! of order, and a reader must never pass over one.
//!
//! An event holds what the message was like; with the message's row and its attempts, which only grow, it tells the message
//! as it was then.

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_domain::{Finding, Message, MessageId, MessageState, ResellerId};

use crate::StoreError;

/// Where a reader of all resellers' events stands: after this event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Grows with the transactions.
    pub order: i64,
    /// Within a transaction, by reseller and number.
    pub reseller: String,
    pub number: i64,
}

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub reseller: ResellerId,
    pub number: i64,
    pub order: i64,
    pub time: Timestamp,
    pub change: Change,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A message, as it was. Absent: its history is gone meanwhile.
    Message(Option<Box<Message>>),
    /// The lane was paused or held (the finding says why), or let go: what waits in it reads so from then on.
    Lane { state: MessageState, finding: Option<Finding> },
}

impl Event {
    pub fn position(&self) -> Position {
        Position { order: self.order, reseller: self.reseller.as_str().to_owned(), number: self.number }
    }
}

/// How a message waited when its lane was stopped or let go.
#[derive(Clone, Copy)]
pub(crate) struct Waited {
    pub state: MessageState,
    pub attempts: u32,
    /// Where it still waits.
    pub next_attempt_time: Option<Timestamp>,
}

impl Event {
    /// Its lane's event, as it is told of a message that waited then: whatever has become of it since.
    pub(crate) fn tells_of(&self, message: Message, waited: Waited) -> Message {
        let mut attempts = message.attempts;
        attempts.retain(|attempt| attempt.number.0 <= waited.attempts);
        let own = attempts.last().filter(|_| waited.state == MessageState::Deferred);
        let own = own.and_then(|attempt| attempt.finding.clone());
        let (state, next_attempt_time, finding) = match &self.change {
            Change::Lane { state: MessageState::Held, finding } => {
                (MessageState::Held, None, finding.clone())
            }
            _ => (waited.state, waited.next_attempt_time, own),
        };
        Message { state, next_attempt_time, finding, attempts, update_time: self.time, ..message }
    }
}

/// The first event of a reseller that is kept, if any is, and the last there ever was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeptEvents {
    pub first: Option<i64>,
    pub last: i64,
}

/// What a commit of this process changed, or what another replica says it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// Absent: the lane, or whatever else of the reseller.
    Message(ResellerId, Option<MessageId>),
    /// Something, somewhere: look at all.
    Anything,
}

#[async_trait]
pub trait Events: Send + Sync {
    /// Events of a reseller after a number, oldest first. `None`: some of them are gone.
    async fn events(
        &self,
        reseller: &ResellerId,
        after: i64,
        limit: u32,
    ) -> Result<Option<Vec<Event>>, StoreError>;
    /// The number of its last event.
    async fn last_event(&self, reseller: &ResellerId) -> Result<i64, StoreError>;
    /// Events of all resellers after a position. `None`: some of them are gone.
    async fn all_events(&self, after: &Position, limit: u32) -> Result<Option<Vec<Event>>, StoreError>;
    /// Where a reader stands who wants what comes from now on.
    async fn last_position(&self) -> Result<Position, StoreError>;
    /// Of which restored database they are; none was restored yet. A position of another epoch says nothing here, for this one
    /// may give its numbers to other events.
    async fn epoch(&self) -> Result<Option<String>, StoreError>;
    /// Positions of before are of another epoch from now on.
    async fn begin_epoch(&self, epoch: &str) -> Result<(), StoreError>;
    /// What a lane's event is about: the messages that waited then, by id, as they read from then on, whenever it is asked.
    /// One that was SCHEDULED is told of by an event of its own, when it comes due.
    async fn waited(
        &self,
        of_lane: &Event,
        after: Option<MessageId>,
        limit: u32,
    ) -> Result<Vec<Message>, StoreError>;
    /// Told after each commit: a hint, for what changed is read.
    fn changes(&self) -> tokio::sync::broadcast::Receiver<Changed>;
}
