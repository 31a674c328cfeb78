//! Settings as they are now, their credential, and the cache before Entra.
//!
//! Settings are read for each grant: a change on any replica holds for the next send on all of them. A credential is read
//! for a token request, and gone with it.

use std::sync::Arc;

use async_trait::async_trait;
use postrider_credential_store::{CredentialStore, CredentialStoreError};
use postrider_dispatch::ports::{self, Grant};
use postrider_domain::{AccessToken, Finding, FindingCode, ResellerId, Settings, TokenRefusal};
use postrider_store::DynStore;
use postrider_token_cache::TokenCache;
use tracing::{Instrument as _, Span};

use super::asking::Asking;
use super::rotation::Rotation;
use crate::status::with_sources;

#[derive(Clone)]
pub(crate) struct TokensPort {
    pub store: DynStore,
    pub credentials: Arc<dyn CredentialStore>,
    pub cache: TokenCache,
    pub asking: Asking,
    pub rotation: Rotation,
}

#[async_trait]
impl ports::Tokens for TokensPort {
    async fn grant(&self, reseller: &ResellerId) -> Result<Grant, TokenRefusal> {
        let settings = match self.store.get_settings(reseller).await {
            Ok(Some(settings)) => settings,
            Ok(None) => return Err(unavailable("the settings were deleted")),
            Err(error) => {
                tracing::error!(event = "settings_unreadable", %reseller, %error, "the settings could not be read");
                return Err(unavailable("the settings could not be read"));
            }
        };
        let (port, of, span) = (self.clone(), settings.clone(), Span::current());
        let token =
            self.cache.get_or_fetch(settings.token_key(), move || port.fetch(of).instrument(span)).await?;
        Ok(Grant { settings, token })
    }

    async fn forget(&self, grant: &Grant) {
        self.cache.forget(&grant.settings.token_key()).await;
    }
}

impl TokensPort {
    async fn fetch(self, settings: Settings) -> Result<AccessToken, TokenRefusal> {
        match self.fetch_with_saved(&settings).await {
            // Before it is told: whoever put another secret into Vault may have told nobody.
            Err(refusal) if says_no_to_the_credential(&refusal) => {
                self.rotation.catch_up(&settings).await.ok_or(refusal)
            }
            fetched => fetched,
        }
    }

    async fn fetch_with_saved(&self, settings: &Settings) -> Result<AccessToken, TokenRefusal> {
        let version = &settings.credential.version;
        let credential = self.credentials.get(&settings.reseller, version).await.map_err(|error| {
            let (reseller, cause) = (&settings.reseller, with_sources(&error));
            // Of a store that is away it is told once, where that is noticed.
            if error.is_outage() {
                tracing::debug!(event = "credential_unavailable", %reseller, error = cause);
                return unavailable(&error.to_string());
            }
            tracing::error!(event = "credential_unavailable", %reseller, error = cause, "the credential could not be read");
            let mut refusal = unavailable(&error.to_string());
            refusal.finding.evidence.insert(GONE.to_owned(), is_gone(&error).to_owned());
            refusal
        })?;
        self.asking.token(settings, &credential).await
    }
}

/// The evidence that the version itself is at fault, and not its store.
const GONE: &str = "credential";

fn is_gone(error: &CredentialStoreError) -> &'static str {
    match error {
        CredentialStoreError::Deleted { .. } => "deleted",
        CredentialStoreError::Destroyed { .. } => "destroyed",
        CredentialStoreError::Damaged { .. } => "damaged",
        _ => "missing",
    }
}

fn says_no_to_the_credential(refusal: &TokenRefusal) -> bool {
    matches!(
        refusal.finding.code,
        FindingCode::SecretWrong
            | FindingCode::SecretIsId
            | FindingCode::SecretExpired
            | FindingCode::CertificateWrong
            | FindingCode::CertificateExpired
    ) || refusal.finding.evidence.contains_key(GONE)
}

fn unavailable(reason: &str) -> TokenRefusal {
    let finding = Finding::new(FindingCode::CredentialStoreUnavailable).with("reason", reason);
    TokenRefusal { finding: Box::new(finding), retry_after: None }
}
