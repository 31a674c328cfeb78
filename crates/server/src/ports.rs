//! What the dispatcher knows of the world, given to it: the store, tokens, Microsoft, and those who wait.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_credential_store::{Cause, CredentialStore, CredentialStoreError, SealedRecords};
use postrider_dispatch::ports::{self, Grant, Submission};
use postrider_dispatch::{Observer, PortError};
use postrider_domain::{
    AttemptEnd, AttemptStart, Content, CredentialVersion, Finding, FindingCode, Lane, Lease, LeaseToken,
    MessageId, Outcome, Queued, ResellerId, Settings, TokenRefusal, Verdict,
};
use postrider_microsoft::{Microsoft, Payload, SendMail};
use postrider_store::{DynStore, SealedRecord, StoreError};
use postrider_token_cache::TokenCache;

use crate::content_budget::ContentBudget;
use crate::convert::content;
use crate::proofs::Proofs;
use crate::wait::Waits;

/// The store as the dispatcher sees it. Its errors are logged here, where they are last seen whole.
pub(crate) struct OutboxPort {
    store: DynStore,
    budget: ContentBudget,
}

impl OutboxPort {
    pub(crate) fn new(store: DynStore, message_bytes_max: usize) -> Self {
        Self { store, budget: ContentBudget::new(message_bytes_max) }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err takes")]
fn away(error: StoreError) -> PortError {
    tracing::error!(%error, "the store did not answer the dispatcher");
    PortError
}

#[async_trait]
impl ports::Outbox for OutboxPort {
    async fn due_lanes(&self, now: Timestamp, limit: u32) -> Result<Vec<Lane>, PortError> {
        self.store.due_lanes(now, limit).await.map_err(away)
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, PortError> {
        self.store.next_due().await.map_err(away)
    }

    async fn lease(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Lease>, PortError> {
        self.store.lease(reseller, token, now, until).await.map_err(away)
    }

    async fn renew(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        until: Timestamp,
    ) -> Result<bool, PortError> {
        self.store.renew(reseller, token, until).await.map_err(away)
    }

    async fn reread(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        now: Timestamp,
    ) -> Result<Option<Lease>, PortError> {
        self.store.reread(reseller, token, now).await.map_err(away)
    }

    async fn release(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        pace_until: Option<Timestamp>,
    ) -> Result<(), PortError> {
        self.store.release(reseller, token, pace_until).await.map_err(away)
    }

    async fn expire(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        now: Timestamp,
    ) -> Result<Vec<MessageId>, PortError> {
        self.store.expire(reseller, token, now).await.map_err(away)
    }

    async fn next_queued(
        &self,
        reseller: &ResellerId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Queued>, PortError> {
        self.store.next_queued(reseller, now, limit).await.map_err(away)
    }

    async fn content(
        &self,
        reseller: &ResellerId,
        message: &MessageId,
    ) -> Result<Option<Content>, PortError> {
        self.budget.held(|| self.store.content(reseller, message)).await.map_err(away)
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
        self.store.refuse_attempt(reseller, token, start, end).await.map_err(away)
    }

    async fn end_attempt(&self, reseller: &ResellerId, end: AttemptEnd) -> Result<(), PortError> {
        self.store.end_attempt(reseller, end).await.map_err(away)
    }
}

/// Settings as they are now, their credential, and the cache before Entra.
#[derive(Clone)]
pub(crate) struct TokensPort {
    pub store: DynStore,
    pub credentials: Arc<dyn CredentialStore>,
    pub cache: TokenCache,
    pub proofs: Proofs,
}

#[async_trait]
impl ports::Tokens for TokensPort {
    async fn grant(&self, reseller: &ResellerId) -> Result<Grant, TokenRefusal> {
        let settings = match self.store.get_settings(reseller).await {
            Ok(Some(settings)) => settings,
            Ok(None) => return Err(unavailable("the settings were deleted")),
            Err(error) => {
                tracing::error!(%reseller, %error, "the settings could not be read");
                return Err(unavailable("the settings could not be read"));
            }
        };
        let (port, of) = (self.clone(), settings.clone());
        let token = self.cache.get_or_fetch(settings.token_key(), move || port.fetch(of)).await?;
        Ok(Grant { settings, token })
    }

    async fn forget(&self, grant: &Grant) {
        self.cache.forget(&grant.settings.token_key()).await;
    }
}

impl TokensPort {
    async fn fetch(self, settings: Settings) -> Result<postrider_domain::AccessToken, TokenRefusal> {
        let version = &settings.credential.version;
        let credential = self.credentials.get(&settings.reseller, version).await.map_err(|error| {
            tracing::error!(reseller = %settings.reseller, %error, "the credential could not be read");
            unavailable(match error {
                CredentialStoreError::Unavailable { .. } => "the credential store did not answer",
                _ => "the credential is missing or damaged: save the settings with it again",
            })
        })?;
        self.proofs.token(&settings.reseller, &settings.values, &credential).await
    }
}

fn unavailable(reason: &str) -> TokenRefusal {
    let finding = Finding::new(FindingCode::CredentialStoreUnavailable).with("reason", reason);
    TokenRefusal { finding: Box::new(finding), retry_after: None }
}

/// The content read back, built into a payload, and given to Graph.
pub(crate) struct MicrosoftPort {
    pub microsoft: Microsoft,
    pub cache: TokenCache,
}

#[async_trait]
impl ports::Microsoft for MicrosoftPort {
    async fn submit(&self, submission: Submission) -> Verdict {
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
        let verdict = self.microsoft.send_mail(call).await;
        // What an administrator grants for large mail is in no token issued before.
        if verdict.finding.as_ref().is_some_and(|f| f.code == FindingCode::AttachmentNeedsReadWrite) {
            self.cache.forget(&grant.settings.token_key()).await;
        }
        verdict
    }
}

impl Observer for Waits {
    fn message_changed(&self, reseller: &ResellerId, message: &MessageId) {
        Self::message_changed(self, reseller, message);
    }

    fn lane_changed(&self, reseller: &ResellerId) {
        Self::lane_changed(self, reseller);
    }
}

/// The tables of the sealed credential store.
pub(crate) struct SealedPort(pub DynStore);

#[async_trait]
impl SealedRecords for SealedPort {
    async fn put(
        &self,
        reseller: &ResellerId,
        version: &CredentialVersion,
        sealed: Vec<u8>,
        now: Timestamp,
    ) -> Result<(), Cause> {
        let record =
            SealedRecord { version: version.as_str().to_owned(), ciphertext: sealed, create_time: now };
        Ok(self.0.put_sealed(reseller, record).await?)
    }

    async fn get(
        &self,
        reseller: &ResellerId,
        version: &CredentialVersion,
    ) -> Result<Option<Vec<u8>>, Cause> {
        Ok(self.0.get_sealed(reseller, version.as_str()).await?.map(|record| record.ciphertext))
    }

    async fn prune(&self, reseller: &ResellerId, keep: Option<&CredentialVersion>) -> Result<(), Cause> {
        Ok(self.0.prune_sealed(reseller, keep.map(CredentialVersion::as_str)).await?)
    }
}
