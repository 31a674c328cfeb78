//! All that the dispatcher knows of the world, implemented outside it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_domain::{
    AccessToken, AttemptEnd, AttemptStart, Clock, Cloud, Content, Lane, LaneSignal, Lease, LeaseToken,
    MessageId, Queued, ResellerId, Settings, TokenRefusal, Verdict,
};
use uuid::Uuid;

/// The store did not answer. What was asked for may be asked for again.
#[derive(Debug)]
pub struct PortError;

/// The database, as far as dispatching goes. Each function is told whose it is; see the store for what it promises.
#[async_trait]
pub trait Outbox: Send + Sync {
    async fn due_lanes(&self, now: Timestamp, limit: u32, except: &[Cloud]) -> Result<Vec<Lane>, PortError>;
    async fn next_due(&self, except: &[Cloud]) -> Result<Option<Timestamp>, PortError>;
    async fn lease(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        duration: Duration,
    ) -> Result<Option<Lease>, PortError>;
    async fn renew(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        duration: Duration,
    ) -> Result<Option<LaneSignal>, PortError>;
    async fn reread(&self, reseller: &ResellerId, token: LeaseToken) -> Result<Option<Lease>, PortError>;
    async fn release(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        pace_until: Option<Timestamp>,
    ) -> Result<(), PortError>;
    async fn expire(&self, reseller: &ResellerId, token: LeaseToken) -> Result<Vec<MessageId>, PortError>;
    async fn next_queued(
        &self,
        reseller: &ResellerId,
        now: Timestamp,
        limit: u32,
        content_below: u32,
    ) -> Result<Vec<Queued>, PortError>;
    async fn content(&self, reseller: &ResellerId, message: &MessageId)
    -> Result<Option<Content>, PortError>;
    async fn start_attempt(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        start: AttemptStart,
    ) -> Result<bool, PortError>;
    async fn refuse_attempt(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        start: AttemptStart,
        end: AttemptEnd,
    ) -> Result<bool, PortError>;
    async fn end_attempt(&self, reseller: &ResellerId, end: AttemptEnd) -> Result<(), PortError>;
}

/// The settings as they are now, and a token for them.
#[derive(Debug, Clone)]
pub struct Grant {
    pub settings: Settings,
    pub token: AccessToken,
}

#[async_trait]
pub trait Tokens: Send + Sync {
    async fn grant(&self, reseller: &ResellerId) -> Result<Grant, TokenRefusal>;
    /// Graph refused this token: the next grant must bring another.
    async fn forget(&self, grant: &Grant);
}

/// One message on its way to Graph. Its attempt is already written down.
#[derive(Debug)]
pub struct Submission {
    pub grant: Grant,
    pub message: MessageId,
    pub content: Content,
    /// Sent as `client-request-id`.
    pub client_request_id: Uuid,
    pub timeout: Duration,
}

#[async_trait]
pub trait Microsoft: Send + Sync {
    async fn submit(&self, submission: Submission) -> Verdict;
}

#[derive(Clone)]
pub struct Ports {
    pub outbox: Arc<dyn Outbox>,
    pub tokens: Arc<dyn Tokens>,
    pub microsoft: Arc<dyn Microsoft>,
    pub clock: Arc<dyn Clock>,
}
