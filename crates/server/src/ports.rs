//! What the dispatcher knows of the world, given to it: the store and Microsoft. Tokens are `credentials/tokens.rs`.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_dispatch::PortError;
use postrider_dispatch::ports::{self, Submission};
use postrider_domain::{
    AttemptEnd, AttemptStart, Cloud, Content, Finding, FindingCode, Lane, LaneSignal, Lease, LeaseToken,
    MessageId, MessageState, Outcome, PaceLimits, Queued, ResellerId, TRACE, Verdict,
};
use postrider_microsoft::{Handed, Microsoft, Payload, SendMail};
use postrider_store::{DynStore, StoreError};
use postrider_token_cache::TokenCache;
use tracing::Instrument as _;

use crate::convert::content;
use crate::left_drafts::LeftDrafts;
use crate::metrics::Metrics;
use crate::traces;

/// The store as the dispatcher sees it. Its errors are logged here, where they are last seen whole.
pub(crate) struct OutboxPort {
    pub store: DynStore,
    pub metrics: Arc<Metrics>,
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err takes")]
fn away(error: StoreError) -> PortError {
    tracing::error!(event = "store_unavailable", %error, "the store did not answer the dispatcher");
    PortError
}

#[async_trait]
impl ports::Outbox for OutboxPort {
    async fn due_lanes(&self, now: Timestamp, limit: u32, except: &[Cloud]) -> Result<Vec<Lane>, PortError> {
        self.store.due_lanes(now, limit, except).await.map_err(away)
    }

    async fn next_due(&self, except: &[Cloud]) -> Result<Option<Timestamp>, PortError> {
        self.store.next_due(except).await.map_err(away)
    }

    async fn lease(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        duration: Duration,
    ) -> Result<Option<Lease>, PortError> {
        self.store.lease(reseller, token, duration).await.map_err(away)
    }

    async fn renew(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        duration: Duration,
    ) -> Result<Option<LaneSignal>, PortError> {
        self.store.renew(reseller, token, duration).await.map_err(away)
    }

    async fn reread(&self, reseller: &ResellerId, token: LeaseToken) -> Result<Option<Lease>, PortError> {
        self.store.reread(reseller, token).await.map_err(away)
    }

    async fn release(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        pace_until: Option<Timestamp>,
    ) -> Result<(), PortError> {
        self.store.release(reseller, token, pace_until).await.map_err(away)
    }

    async fn expire(&self, reseller: &ResellerId, token: LeaseToken) -> Result<Vec<MessageId>, PortError> {
        let expired = self.store.expire(reseller, token).await.map_err(away)?;
        self.metrics.finished(reseller, MessageState::Expired, expired.len() as u64);
        Ok(expired)
    }

    async fn next_queued(
        &self,
        reseller: &ResellerId,
        now: Timestamp,
        limit: u32,
        content_below: u32,
    ) -> Result<Vec<Queued>, PortError> {
        self.store.next_queued(reseller, now, limit, content_below).await.map_err(away)
    }

    async fn content(
        &self,
        reseller: &ResellerId,
        message: &MessageId,
    ) -> Result<Option<Content>, PortError> {
        let content = self.store.content(reseller, message).await.map_err(away)?;
        traces::link(content.as_ref().and_then(|content| content::origin(&content.body)));
        Ok(content)
    }

    async fn start_attempt(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        start: AttemptStart,
    ) -> Result<bool, PortError> {
        self.store.start_attempt(reseller, token, start).await.map_err(away)
    }

    async fn refuse_attempt(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        start: AttemptStart,
        end: AttemptEnd,
    ) -> Result<bool, PortError> {
        let written = self.store.refuse_attempt(reseller, token, start, end.clone()).await.map_err(away)?;
        if written {
            self.metrics.attempted(reseller, &end);
        }
        Ok(written)
    }

    async fn end_attempt(&self, reseller: &ResellerId, end: AttemptEnd) -> Result<(), PortError> {
        self.store.end_attempt(reseller, end.clone()).await.map_err(away)?;
        self.metrics.attempted(reseller, &end);
        Ok(())
    }
}

/// The content read back, built into a payload, and given to Graph.
pub(crate) struct MicrosoftPort {
    pub microsoft: Microsoft,
    pub cache: TokenCache,
    pub left_drafts: LeftDrafts,
    /// The operator's limits of a mailbox.
    pub pace: PaceLimits,
}

#[async_trait]
impl ports::Microsoft for MicrosoftPort {
    async fn submit(&self, submission: Submission) -> Verdict {
        let client_request_id = submission.client_request_id;
        let span = tracing::info_span!(target: TRACE, "submit", %client_request_id);
        self.hand(submission).instrument(span).await
    }
}

impl MicrosoftPort {
    async fn hand(&self, submission: Submission) -> Verdict {
        let Submission { grant, message, content, client_request_id, timeout } = submission;
        let values = &grant.settings.values;
        let Some(email) = content::decode(content.body) else {
            let finding =
                Finding::new(FindingCode::MessageInvalid).with("reason", "its stored content cannot be read");
            return Verdict::of(Outcome::Rejected, finding);
        };
        let id = content
            .internet_message_id
            .unwrap_or_else(|| postrider_microsoft::internet_message_id(message, &values.mailbox));
        let payload = Payload::build(&email, values, &id, content.create_time);
        drop(email);
        let call = SendMail {
            cloud: values.cloud,
            mailbox: &values.mailbox,
            token: &grant.token,
            payload,
            client_request_id,
            timeout,
        };
        let Handed { verdict, left } = self.microsoft.send_mail(call).await;
        if let Some(left) = left {
            let lane = Lane { reseller: grant.settings.reseller.clone(), mailbox: values.mailbox.folded() };
            self.left_drafts.delete_later(lane, values.pace.applied_to(self.pace), message, left);
        }
        // What an administrator grants for large mail is in no token issued before.
        if verdict.finding.as_ref().is_some_and(|f| f.code == FindingCode::AttachmentNeedsReadWrite) {
            self.cache.forget(&grant.settings.token_key()).await;
        }
        verdict
    }
}
