//! What the dispatcher knows of the world, given to it: the store, tokens and Microsoft.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_credential_store::{Cause, CredentialStore, CredentialStoreError, SealedRecords};
use postrider_dispatch::PortError;
use postrider_dispatch::ports::{self, Grant, Submission};
use postrider_domain::{
    AttemptEnd, AttemptStart, Cloud, Content, CredentialVersion, Finding, FindingCode, Lane, LaneSignal,
    Lease, LeaseToken, MessageId, Outcome, Queued, ResellerId, Settings, TokenRefusal, Verdict,
};
use postrider_microsoft::{Microsoft, Payload, SendMail};
use postrider_store::{DynStore, SealedRecord, StoreError};
use postrider_token_cache::TokenCache;

use crate::convert::content;

/// The store as the dispatcher sees it. Its errors are logged here, where they are last seen whole.
pub(crate) struct OutboxPort(pub DynStore);

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err takes")]
fn away(error: StoreError) -> PortError {
    tracing::error!(%error, "the store did not answer the dispatcher");
    PortError
}

#[async_trait]
impl ports::Outbox for OutboxPort {
    async fn due_lanes(&self, now: Timestamp, limit: u32, except: &[Cloud]) -> Result<Vec<Lane>, PortError> {
        self.0.due_lanes(now, limit, except).await.map_err(away)
    }

    async fn next_due(&self, except: &[Cloud]) -> Result<Option<Timestamp>, PortError> {
        self.0.next_due(except).await.map_err(away)
    }

    async fn lease(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        duration: Duration,
    ) -> Result<Option<Lease>, PortError> {
        self.0.lease(reseller, token, duration).await.map_err(away)
    }

    async fn renew(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        duration: Duration,
    ) -> Result<Option<LaneSignal>, PortError> {
        self.0.renew(reseller, token, duration).await.map_err(away)
    }

    async fn reread(&self, reseller: &ResellerId, token: LeaseToken) -> Result<Option<Lease>, PortError> {
        self.0.reread(reseller, token).await.map_err(away)
    }

    async fn release(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        pace_until: Option<Timestamp>,
    ) -> Result<(), PortError> {
        self.0.release(reseller, token, pace_until).await.map_err(away)
    }

    async fn expire(&self, reseller: &ResellerId, token: LeaseToken) -> Result<Vec<MessageId>, PortError> {
        self.0.expire(reseller, token).await.map_err(away)
    }

    async fn next_queued(
        &self,
        reseller: &ResellerId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Queued>, PortError> {
        self.0.next_queued(reseller, now, limit).await.map_err(away)
    }

    async fn content(
        &self,
        reseller: &ResellerId,
        message: &MessageId,
    ) -> Result<Option<Content>, PortError> {
        self.0.content(reseller, message).await.map_err(away)
    }

    async fn start_attempt(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        start: AttemptStart,
    ) -> Result<bool, PortError> {
        self.0.start_attempt(reseller, token, start).await.map_err(away)
    }

    async fn refuse_attempt(
        &self,
        reseller: &ResellerId,
        token: LeaseToken,
        start: AttemptStart,
        end: AttemptEnd,
    ) -> Result<bool, PortError> {
        self.0.refuse_attempt(reseller, token, start, end).await.map_err(away)
    }

    async fn end_attempt(&self, reseller: &ResellerId, end: AttemptEnd) -> Result<(), PortError> {
        self.0.end_attempt(reseller, end).await.map_err(away)
    }
}

/// Settings as they are now, their credential, and the cache before Entra.
#[derive(Clone)]
pub(crate) struct TokensPort {
    pub store: DynStore,
    pub credentials: Arc<dyn CredentialStore>,
    pub cache: TokenCache,
    pub microsoft: Microsoft,
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
        let values = &settings.values;
        self.microsoft.token(values.cloud, &values.directory, &values.client, &credential).await
    }
}

fn unavailable(reason: &str) -> TokenRefusal {
    let finding = Finding::new(FindingCode::CredentialStoreUnavailable).with("reason", reason);
    TokenRefusal { finding: Box::new(finding), retry_after: None }
}

/// The content read back, built into a payload, and given to Graph.
pub(crate) struct MicrosoftPort(pub Microsoft);

#[async_trait]
impl ports::Microsoft for MicrosoftPort {
    async fn submit(&self, submission: Submission) -> Verdict {
        let Submission { grant, message, content, client_request_id, timeout } = submission;
        let values = &grant.settings.values;
        let Some(email) = content::decode(&content.body) else {
            let finding =
                Finding::new(FindingCode::MessageInvalid).with("reason", "its stored content cannot be read");
            return Verdict::of(Outcome::Rejected, finding);
        };
        let id = content
            .internet_message_id
            .unwrap_or_else(|| postrider_microsoft::internet_message_id(message, &values.mailbox));
        let payload = Payload::build(&email, values, &id, content.create_time);
        let call = SendMail {
            cloud: values.cloud,
            mailbox: &values.mailbox,
            token: &grant.token,
            payload,
            client_request_id,
            timeout,
        };
        self.0.send_mail(call).await
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
