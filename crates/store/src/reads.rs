//! What is read without a transaction of a write: each answer is what was committed, at one moment.

use jiff::{SignedDuration, Timestamp};
use postrider_domain::{
    Cloud, Content, Lane, Message, MessageId, Queued, RequestId, ResellerId, Settings, Usage,
};

use crate::book::{AttemptKey, MessageKey, RequestKey};
use crate::census::{Backlog, FirstExpiry, LaneState};
use crate::seen::Outlook;
use crate::watch::{Event, KeptEvents, Position};
use crate::{
    AccessKey, AuditFilter, AuditPage, ContentHash, KeyId, MessageFilter, MessagePage, Queue, SealedRecord,
    SettingsFilter, SettingsPage, StoreError, WrappedKey,
};

pub(crate) type Read<T> = Result<T, StoreError>;

/// A lane that has work, or the words in which it cannot be read.
pub(crate) type DueLane = Result<Lane, (String, StoreError)>;

/// What is to be destroyed waits for later changes of the same reseller, but no longer than this.
const CHANGES_WAIT_MAX: SignedDuration = SignedDuration::from_hours(24);

pub(crate) fn long_before(time: Timestamp) -> Timestamp {
    time.saturating_sub(CHANGES_WAIT_MAX).unwrap_or(Timestamp::MIN)
}

/// Which lanes are not asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct PassOver {
    pub resellers: Vec<String>,
    pub clouds: Vec<Cloud>,
}

/// How a backend reads. `now`, the outlook's too, is the moment by which HELD, due and over are told.
#[async_trait::async_trait]
pub(crate) trait Reads: Send + Sync {
    async fn message(&self, reseller: &ResellerId, id: MessageId, outlook: Outlook) -> Read<Option<Message>>;
    async fn messages(
        &self,
        reseller: &ResellerId,
        filter: MessageFilter,
        outlook: Outlook,
    ) -> Read<MessagePage>;
    async fn content(&self, reseller: &ResellerId, id: MessageId) -> Read<Option<Content>>;
    async fn request_key(
        &self,
        reseller: &ResellerId,
        id: &RequestId,
    ) -> Read<Option<(MessageId, ContentHash)>>;

    async fn due_lanes(&self, now: Timestamp, limit: u32, pass_over: PassOver) -> Read<Vec<DueLane>>;
    async fn next_due(&self, pass_over: PassOver) -> Read<Option<Timestamp>>;
    /// So many of each priority, of fewer bytes.
    async fn next_queued(
        &self,
        reseller: &ResellerId,
        now: Timestamp,
        limit: u32,
        content_below: u32,
    ) -> Read<Vec<Queued>>;

    async fn settings(&self, reseller: &ResellerId) -> Read<Option<Settings>>;
    async fn settings_page(&self, filter: SettingsFilter) -> Read<SettingsPage>;
    /// Queued messages, and recipients since the beginning of an hour.
    async fn usage(&self, reseller: &ResellerId, first_hour: i64) -> Read<Usage>;

    async fn access_key(&self, id: &KeyId) -> Read<Option<AccessKey>>;
    async fn access_keys(&self) -> Read<Vec<AccessKey>>;
    async fn any_access_key(&self) -> Read<bool>;
    async fn data_key(&self, reseller: &ResellerId) -> Read<Option<WrappedKey>>;
    /// In order of the reseller, after this one.
    async fn data_keys(&self, after: &str, limit: u32) -> Read<Vec<(ResellerId, WrappedKey)>>;
    async fn audit_events(&self, filter: AuditFilter) -> Read<AuditPage>;
    async fn sealed(&self, reseller: &ResellerId, version: &str) -> Read<Option<SealedRecord>>;
    /// After this place, in order of reseller and version.
    async fn sealed_page(&self, after: (&str, &str), limit: u32) -> Read<Vec<(ResellerId, SealedRecord)>>;
    async fn key_ring(&self) -> Read<Option<String>>;
    async fn due_changes(&self, before: Timestamp, limit: u32) -> Read<Vec<(ResellerId, Timestamp)>>;

    async fn events(&self, reseller: &ResellerId, after: i64, limit: u32) -> Read<Vec<Event>>;
    async fn all_events(&self, after: &Position, limit: u32) -> Read<Vec<Event>>;
    async fn kept_events(&self, reseller: &ResellerId) -> Read<KeptEvents>;
    async fn last_position(&self) -> Read<i64>;
    async fn purged_position(&self) -> Read<i64>;
    async fn epoch(&self) -> Read<Option<String>>;
    /// Messages that waited when their lane was stopped or let go, as they read from then on, by id.
    async fn waited(&self, of_lane: &Event, after: Option<MessageId>, limit: u32) -> Read<Vec<Message>>;

    async fn queued(&self) -> Read<Queue>;
    async fn backlog(&self, by_reseller: bool, now: Timestamp) -> Read<Vec<Backlog>>;
    async fn lanes(&self, now: Timestamp) -> Read<Vec<(LaneState, i64)>>;
    async fn first_expiries(&self, by_reseller: bool) -> Read<Vec<FirstExpiry>>;
    async fn over_contents(&self, now: Timestamp, limit: u32) -> Read<Vec<MessageKey>>;
    async fn over_history(&self, ended_until: Timestamp, limit: u32) -> Read<Vec<MessageKey>>;
    async fn over_request_keys(&self, now: Timestamp, limit: u32) -> Read<Vec<(RequestKey, Timestamp)>>;
    async fn over_events(&self, kept_since: Timestamp, limit: u32) -> Read<Vec<OldEvent>>;
    async fn abandoned(&self, now: Timestamp, limit: u32) -> Read<Vec<AttemptKey>>;
}

/// An event that has been kept long enough.
#[derive(Debug, Clone)]
pub(crate) struct OldEvent {
    pub reseller: ResellerId,
    pub number: i64,
    pub position: i64,
}
