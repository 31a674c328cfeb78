//! The trait [`Outbox`].

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_domain::{
    AttemptEnd, AttemptNumber, AttemptStart, Cloud, Content, Finding, Lane, LaneSignal, Lease, LeaseToken,
    Message, MessageId, Queued, RequestId, ResellerId, limits,
};

use super::{Backend, sealing};
use crate::reads::Reads;
use crate::seen::Outlook;
use crate::verbs::{
    Accept, AcceptAll, AcceptTest, Admitted, Cancel, Doubt, End, Expire, Hindered, Over, Pause, Purge,
    Refuse, Release, Renew, Reread, Resume, RetryMessage, Start, Take,
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
        loop {
            let (new, sealed_by) = sealing::sealed(self, &message).await?;
            match self.write(Accept { new: Arc::new(new), sealed_by, bounds }).await? {
                Admitted::KeyGone => sealing::forget(self, &message.reseller),
                admitted => return accepted(self, &message, admitted).await,
            }
        }
    }

    async fn accept_all(
        &self,
        messages: Vec<NewMessage>,
        bounds: QueueBounds,
    ) -> Result<AllAccepted, StoreError> {
        let admitted = loop {
            let mut new = Vec::with_capacity(messages.len());
            for message in &messages {
                let (message, sealed_by) = sealing::sealed(self, message).await?;
                new.push((Arc::new(message), sealed_by));
            }
            match self.write(AcceptAll { new, bounds }).await? {
                Ok(admitted) => break admitted,
                Err((index, Hindered::Refused(refused))) => return Ok(AllAccepted::None(index, refused)),
                Err((index, Hindered::KeyGone)) => {
                    messages.get(index).into_iter().for_each(|one| sealing::forget(self, &one.reseller));
                }
            }
        };
        let mut all = Vec::with_capacity(admitted.len());
        for (message, admitted) in messages.iter().zip(admitted) {
            all.push(accepted(self, message, admitted).await?);
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
            Some((id, _)) => replayed(self, reseller, id).await.map(Some),
        }
    }

    async fn accept_test(&self, test: TestMail) -> Result<Accepted, StoreError> {
        loop {
            let (message, sealed_by) = sealing::sealed(self, &test.message).await?;
            let sealed = TestMail { message, ..test.clone() };
            match self.write(AcceptTest { test: Arc::new(sealed), sealed_by }).await? {
                Admitted::KeyGone => sealing::forget(self, &test.message.reseller),
                admitted => return accepted(self, &test.message, admitted).await,
            }
        }
    }

    async fn get_message(
        &self,
        reseller: &ResellerId,
        id: &MessageId,
    ) -> Result<Option<Message>, StoreError> {
        let mut found = self.reads().message(reseller, *id, outlook(self)).await?;
        sealing::opened(self, found.iter_mut()).await?;
        Ok(found)
    }

    async fn list_messages(
        &self,
        reseller: &ResellerId,
        filter: MessageFilter,
    ) -> Result<MessagePage, StoreError> {
        let mut page = self.reads().messages(reseller, filter, outlook(self)).await?;
        sealing::opened(self, page.messages.iter_mut()).await?;
        Ok(page)
    }

    async fn content(&self, reseller: &ResellerId, id: &MessageId) -> Result<Option<Content>, StoreError> {
        match self.reads().content(reseller, *id).await? {
            Some(content) => sealing::opened_content(self, reseller, *id, content).await.map(Some),
            None => Ok(None),
        }
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

    async fn doubt(
        &self,
        reseller: &ResellerId,
        id: &MessageId,
        number: AttemptNumber,
        finding: Finding,
    ) -> Result<bool, StoreError> {
        self.write(Doubt { reseller: reseller.clone(), id: *id, number, finding }).await
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

/// Told in the words it came in, not as it lies.
async fn accepted(
    backend: &impl Backend,
    new: &NewMessage,
    admitted: Admitted,
) -> Result<Accepted, StoreError> {
    match admitted {
        Admitted::New(mut message) => {
            message.subject.clone_from(&new.subject);
            Ok(Accepted::New(message))
        }
        Admitted::Refused(refused) => Ok(Accepted::Refused(refused)),
        Admitted::Replayed(id) => replayed(backend, &new.reseller, id).await,
        Admitted::KeyGone => Err(StoreError::Conflict { cause: "the data key was replaced".to_owned() }),
    }
}

/// A replay is answered by its message as it is now.
async fn replayed(
    backend: &impl Backend,
    reseller: &ResellerId,
    id: MessageId,
) -> Result<Accepted, StoreError> {
    let mut first = backend.reads().message(reseller, id, outlook(backend)).await?;
    sealing::opened(backend, first.iter_mut()).await?;
    first.map(|first| Accepted::Replayed(Box::new(first))).ok_or_else(|| {
        let row = format!("{reseller}/{id}");
        StoreError::Inconsistent { table: "request_keys", column: "message_id", row }
    })
}

fn outlook(backend: &impl Backend) -> Outlook {
    Outlook { now: backend.now(), messages_per_minute: backend.messages_per_minute() }
}
