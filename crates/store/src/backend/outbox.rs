//! The trait [`Outbox`].

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_domain::{
    AttemptEnd, AttemptStart, Cloud, Content, Lane, LaneSignal, Lease, LeaseToken, Message, MessageId,
    Queued, RequestId, ResellerId, limits,
};

use super::Backend;
use crate::reads::Reads;
use crate::seen::Outlook;
use crate::verbs::{
    Accept, AcceptAll, AcceptTest, Admitted, Cancel, End, Expire, Over, Pause, Purge, Refuse, Release, Renew,
    Reread, Resume, RetryMessage, Start, Take,
};
use crate::{
    Accepted, AllAccepted, ContentHash, MessageFilter, MessagePage, NewMessage, Outbox, Queue, QueueBounds,
    Refused, Retry, Steered, StoreError, TestMail,
};

/// Rows of one kind that a step of purging takes: it holds no caller up for long.
const PURGED_AT_ONCE: u32 = 200;

#[async_trait]
impl<B: Backend> Outbox for B {
    async fn accept(&self, message: NewMessage, bounds: QueueBounds) -> Result<Accepted, StoreError> {
        let reseller = message.reseller.clone();
        let admitted = self.write(Accept { new: Arc::new(message), bounds }).await?;
        accepted(self, &reseller, admitted).await
    }

    async fn accept_all(
        &self,
        messages: Vec<NewMessage>,
        bounds: QueueBounds,
    ) -> Result<AllAccepted, StoreError> {
        let new: Vec<_> = messages.into_iter().map(Arc::new).collect();
        let admitted = match self.write(AcceptAll { new: new.clone(), bounds }).await? {
            Ok(admitted) => admitted,
            Err((index, refused)) => return Ok(AllAccepted::None(index, refused)),
        };
        let mut all = Vec::with_capacity(admitted.len());
        for (new, admitted) in new.iter().zip(admitted) {
            all.push(accepted(self, &new.reseller, admitted).await?);
        }
        Ok(AllAccepted::All(all))
    }

    async fn accepted_before(
        &self,
        reseller: &ResellerId,
        request_id: &RequestId,
        content_hash: &ContentHash,
    ) -> Result<Option<Accepted>, StoreError> {
        match self.reads().request_key(reseller, request_id).await? {
            None => Ok(None),
            Some((_, hash)) if hash != *content_hash => Ok(Some(Accepted::Refused(Refused::RequestIdReused))),
            Some((id, _)) => accepted(self, reseller, Admitted::Replayed(id)).await.map(Some),
        }
    }

    async fn accept_test(&self, test: TestMail) -> Result<Accepted, StoreError> {
        let reseller = test.message.reseller.clone();
        let admitted = self.write(AcceptTest { test: Arc::new(test) }).await?;
        accepted(self, &reseller, admitted).await
    }

    async fn get_message(
        &self,
        reseller: &ResellerId,
        id: &MessageId,
    ) -> Result<Option<Message>, StoreError> {
        self.reads().message(reseller, *id, outlook(self)).await
    }

    async fn list_messages(
        &self,
        reseller: &ResellerId,
        filter: MessageFilter,
    ) -> Result<MessagePage, StoreError> {
        self.reads().messages(reseller, filter, outlook(self)).await
    }

    async fn content(&self, reseller: &ResellerId, id: &MessageId) -> Result<Option<Content>, StoreError> {
        self.reads().content(reseller, *id).await
    }

    async fn queue(&self) -> Result<Queue, StoreError> {
        self.reads().queued().await
    }

    async fn cancel(&self, reseller: &ResellerId, id: &MessageId) -> Result<Steered, StoreError> {
        self.write(Cancel { reseller: reseller.clone(), id: *id }).await
    }

    async fn retry(&self, reseller: &ResellerId, id: &MessageId, how: Retry) -> Result<Steered, StoreError> {
        self.write(RetryMessage { reseller: reseller.clone(), id: *id, how }).await
    }

    async fn pause(&self, reseller: &ResellerId, reason: &str) -> Result<bool, StoreError> {
        self.write(Pause { reseller: reseller.clone(), reason: reason.to_owned() }).await
    }

    async fn resume(&self, reseller: &ResellerId) -> Result<bool, StoreError> {
        self.write(Resume { reseller: reseller.clone() }).await
    }

    async fn due_lanes(&self, now: Timestamp, limit: u32, except: &[Cloud]) -> Result<Vec<Lane>, StoreError> {
        let found = self.reads().due_lanes(now, limit, self.passed_over().and(except)).await?;
        let readable = |lane: Result<Lane, (String, StoreError)>| {
            lane.map_err(|(reseller, error)| self.passed_over().add(&reseller, &error)).ok()
        };
        Ok(found.into_iter().filter_map(readable).collect())
    }

    async fn next_due(&self, except: &[Cloud]) -> Result<Option<Timestamp>, StoreError> {
        self.reads().next_due(self.passed_over().and(except)).await
    }

    async fn lease(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        duration: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        match self.write(Take { reseller: reseller.clone(), token, duration }).await {
            Err(error @ StoreError::Inconsistent { .. }) => {
                self.passed_over().add(reseller.as_str(), &error);
                Ok(None)
            }
            taken => taken,
        }
    }

    async fn renew(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        duration: Duration,
    ) -> Result<Option<LaneSignal>, StoreError> {
        self.write(Renew { reseller: reseller.clone(), token, duration }).await
    }

    async fn reread(&self, reseller: &ResellerId, token: LeaseToken) -> Result<Option<Lease>, StoreError> {
        self.write(Reread { reseller: reseller.clone(), token }).await
    }

    async fn release(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        pace_until: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        self.write(Release { reseller: reseller.clone(), token, pace_until }).await
    }

    async fn expire(&self, reseller: &ResellerId, token: LeaseToken) -> Result<Vec<MessageId>, StoreError> {
        self.write(Expire { reseller: reseller.clone(), token }).await
    }

    async fn next_queued(
        &self,
        reseller: &ResellerId,
        now: Timestamp,
        limit: u32,
        content_below: u32,
    ) -> Result<Vec<Queued>, StoreError> {
        self.reads().next_queued(reseller, now, limit, content_below).await
    }

    async fn start_attempt(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        start: AttemptStart,
    ) -> Result<bool, StoreError> {
        self.write(Start { reseller: reseller.clone(), token, attempt: start }).await
    }

    async fn end_attempt(&self, reseller: &ResellerId, end: AttemptEnd) -> Result<(), StoreError> {
        self.write(End { reseller: reseller.clone(), end }).await
    }

    async fn refuse_attempt(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        start: AttemptStart,
        end: AttemptEnd,
    ) -> Result<bool, StoreError> {
        let start = Start { reseller: reseller.clone(), token, attempt: start };
        self.write(Refuse { start, end }).await
    }

    async fn purge(&self) -> Result<bool, StoreError> {
        let (now, reads, retention) = (self.now(), self.reads(), self.retention());
        let since = |kept| now.saturating_sub(kept).unwrap_or(Timestamp::MIN);
        let events_since = since(limits::EVENTS_KEPT.min(retention.history));
        let over = Over {
            contents: reads.over_contents(now, PURGED_AT_ONCE).await?,
            history: reads.over_history(since(retention.history), PURGED_AT_ONCE).await?,
            request_keys: reads.over_request_keys(now, PURGED_AT_ONCE).await?,
            events: reads.over_events(events_since, PURGED_AT_ONCE).await?,
            abandoned: reads.abandoned(now, PURGED_AT_ONCE).await?,
        };
        let may_be_more = over.is_full(PURGED_AT_ONCE);
        if !over.is_empty() {
            self.write(Purge { over, retention }).await?;
        }
        Ok(may_be_more)
    }
}

/// A replay is answered by its message as it is now.
async fn accepted(
    backend: &impl Backend,
    reseller: &ResellerId,
    admitted: Admitted,
) -> Result<Accepted, StoreError> {
    match admitted {
        Admitted::New(message) => Ok(Accepted::New(message)),
        Admitted::Refused(refused) => Ok(Accepted::Refused(refused)),
        Admitted::Replayed(id) => {
            let first = backend.reads().message(reseller, id, outlook(backend)).await?;
            first.map(|first| Accepted::Replayed(Box::new(first))).ok_or_else(|| {
                let row = format!("{reseller}/{id}");
                StoreError::Inconsistent { table: "request_keys", column: "message_id", row }
            })
        }
    }
}

fn outlook(backend: &impl Backend) -> Outlook {
    Outlook { now: backend.now(), messages_per_minute: backend.messages_per_minute() }
}
