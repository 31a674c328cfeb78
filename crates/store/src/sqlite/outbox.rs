//! The trait [`Outbox`], each verb handed to its file.

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_domain::{
    AttemptEnd, AttemptStart, Content, Lane, Lease, LeaseToken, Message, MessageId, Queued, RequestId,
    ResellerId,
};

use super::SqliteStore;
use super::lease::{Expire, Release, Renew, Take};
use super::record::{End, Refuse, Start};
use crate::{Accepted, ContentHash, MessageFilter, MessagePage, NewMessage, Outbox, StoreError, TestMail};

#[async_trait]
impl Outbox for SqliteStore {
    async fn accept(&self, message: NewMessage) -> Result<Accepted, StoreError> {
        self.accept_message(message).await
    }

    async fn accepted_before(
        &self,
        reseller: &ResellerId,
        request_id: &RequestId,
        content_hash: &ContentHash,
    ) -> Result<Option<Accepted>, StoreError> {
        self.read_accepted_before(reseller, request_id, content_hash).await
    }

    async fn accept_test(&self, test: TestMail) -> Result<Accepted, StoreError> {
        self.accept_test_mail(test).await
    }

    async fn get_message(
        &self,
        reseller: &ResellerId,
        id: &MessageId,
    ) -> Result<Option<Message>, StoreError> {
        self.read_message(reseller, id).await
    }

    async fn list_messages(
        &self,
        reseller: &ResellerId,
        filter: MessageFilter,
    ) -> Result<MessagePage, StoreError> {
        self.read_page(reseller, filter).await
    }

    async fn content(&self, reseller: &ResellerId, id: &MessageId) -> Result<Option<Content>, StoreError> {
        self.read_content(reseller, id).await
    }

    async fn due_lanes(&self, now: Timestamp, limit: u32) -> Result<Vec<Lane>, StoreError> {
        self.read_due_lanes(now, limit).await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read_next_due().await
    }

    async fn lease(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Lease>, StoreError> {
        self.take_lane(Take { reseller: reseller.clone(), token, now, until }).await
    }

    async fn renew(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write(Renew { reseller: reseller.clone(), token, until }).await
    }

    async fn reread(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        now: Timestamp,
    ) -> Result<Option<Lease>, StoreError> {
        self.read_lease(reseller, token, now).await
    }

    async fn release(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        pace_until: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        self.write(Release { reseller: reseller.clone(), token, pace_until }).await
    }

    async fn expire(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        now: Timestamp,
    ) -> Result<Vec<MessageId>, StoreError> {
        self.write(Expire { reseller: reseller.clone(), token, now }).await
    }

    async fn next_queued(
        &self,
        reseller: &ResellerId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Queued>, StoreError> {
        self.read_next_queued(reseller, now, limit).await
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
        self.write(Refuse { start: Start { reseller: reseller.clone(), token, attempt: start }, end }).await
    }
}
