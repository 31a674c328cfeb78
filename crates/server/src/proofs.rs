//! A credential → what Entra is shown → an access token: the one way to a token, for mail and for tests alike.
//!
//! A federated source is one identity, and must not be lent: before it is used it is held against what the operator
//! bound it to, each time, whatever was put.
//!
//! A directory whose Entra asked to be left alone is not asked before the time it gave, by whoever wants a token.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use postrider_domain::{
    AccessToken, Clock, Cloud, Credential, DirectoryId, Finding, FindingCode, ResellerId, SettingsValues,
    SourceName, TokenRefusal, limits,
};
use postrider_microsoft::{IdentityEndpoint, Microsoft, Proof};
use secrecy::SecretString;

use crate::config::{AssertionPlace, Federated, FederatedSource};
use crate::credentials::TokenFetch;
use crate::metrics::Metrics;

#[derive(Clone)]
pub(crate) struct Proofs {
    microsoft: Microsoft,
    sources: Federated,
    identity: IdentityEndpoint,
    asked: Asked,
}

/// How often Entra was asked, and which directories are not to be asked before when.
#[derive(Clone)]
pub(crate) struct Asked {
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
    not_before: Arc<Mutex<HashMap<(Cloud, DirectoryId), Timestamp>>>,
}

impl Asked {
    pub(crate) fn new(metrics: Arc<Metrics>, clock: Arc<dyn Clock>) -> Self {
        Self { metrics, clock, not_before: Arc::default() }
    }

    /// For how much longer.
    fn waits(&self, values: &SettingsValues) -> Option<Duration> {
        let not_before = self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        let until = not_before.get(&(values.cloud, values.directory.clone()))?;
        Duration::try_from(until.duration_since(self.clock.now())).ok().filter(|left| !left.is_zero())
    }

    fn note(
        &self,
        reseller: &ResellerId,
        values: &SettingsValues,
        asked: &Result<AccessToken, TokenRefusal>,
    ) {
        let result = TokenFetch::of(asked);
        self.metrics.token_fetched(result);
        tracing::debug!(event = "token_fetched", %reseller, result = result.as_str());
        let Some(wait) = asked.as_ref().err().and_then(|refusal| refusal.retry_after) else { return };
        let now = self.clock.now();
        let mut not_before = self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        not_before.retain(|_, until| *until > now);
        let until = now.saturating_add(wait).unwrap_or(Timestamp::MAX);
        not_before.insert((values.cloud, values.directory.clone()), until);
    }
}

/// Why a source may not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotBound {
    #[error("names no source of the operator's configuration")]
    Unknown,
    #[error("is bound to another reseller")]
    Reseller,
    #[error("is bound to another tenant_id or client_id")]
    App,
}

impl Proofs {
    pub(crate) fn new(
        microsoft: Microsoft,
        sources: Federated,
        identity: IdentityEndpoint,
        asked: Asked,
    ) -> Self {
        Self { microsoft, sources, identity, asked }
    }

    /// Whether Entra may be asked of this directory now.
    pub(crate) fn may_ask(&self, values: &SettingsValues) -> Result<(), TokenRefusal> {
        let Some(wait) = self.asked.waits(values) else { return Ok(()) };
        let reason = "Entra asked to be left alone, and the time it gave has not passed";
        let finding = Finding::new(FindingCode::Throttled).with("reason", reason);
        Err(TokenRefusal { finding: Box::new(finding), retry_after: Some(wait) })
    }

    /// Asks Entra for a token, if it may be asked. Not cached here.
    pub(crate) async fn token(
        &self,
        reseller: &ResellerId,
        values: &SettingsValues,
        credential: &Credential,
    ) -> Result<AccessToken, TokenRefusal> {
        self.may_ask(values)?;
        let proof = match credential {
            Credential::ClientSecret { value, .. } => Proof::ClientSecret(value),
            Credential::Certificate(certificate) => Proof::Certificate(certificate),
            Credential::Federated { source } => {
                Proof::Assertion(self.assertion(source, reseller, values).await?)
            }
        };
        let asked = self.microsoft.token(values.cloud, &values.directory, &values.client, &proof).await;
        self.asked.note(reseller, values, &asked);
        asked
    }

    /// The source, if it may be used with these settings.
    pub(crate) fn bound(
        &self,
        source: &SourceName,
        reseller: &ResellerId,
        values: &SettingsValues,
    ) -> Result<&FederatedSource, NotBound> {
        let found = self.sources.get(source).ok_or(NotBound::Unknown)?;
        let FederatedSource { reseller: own, directory, client, .. } = found;
        if own.as_ref().is_some_and(|own| own != reseller) {
            return Err(NotBound::Reseller);
        }
        let is_other = directory.as_ref().is_some_and(|own| *own != values.directory)
            || client.as_ref().is_some_and(|own| *own != values.client);
        if is_other { Err(NotBound::App) } else { Ok(found) }
    }

    async fn assertion(
        &self,
        source: &SourceName,
        reseller: &ResellerId,
        values: &SettingsValues,
    ) -> Result<SecretString, TokenRefusal> {
        let found = self.bound(source, reseller, values).map_err(|not_bound| {
            let finding = Finding::new(FindingCode::FederationWrong).with("source", source);
            refused(finding.with("reason", format!("the source {not_bound}")))
        })?;
        match &found.place {
            AssertionPlace::File(path) => read(path.clone()).await.map_err(|problem| {
                tracing::error!(event = "assertion_missing", %reseller, %source, problem, path = %path.display(), "no assertion");
                let finding = Finding::new(FindingCode::CredentialStoreUnavailable).with("source", source);
                refused(finding.with("reason", format!("the file of the source {problem}")))
            }),
            AssertionPlace::ManagedIdentity(identity) => {
                self.microsoft.identity_assertion(&self.identity, identity, values.cloud).await
            }
        }
    }
}

fn refused(finding: Finding) -> TokenRefusal {
    TokenRefusal { finding: Box::new(finding), retry_after: None }
}

/// Each time anew: whoever renews the file need tell nobody.
async fn read(path: PathBuf) -> Result<SecretString, &'static str> {
    let read = tokio::task::spawn_blocking(move || read_now(&path)).await;
    read.unwrap_or(Err("cannot be read"))
}

fn read_now(path: &Path) -> Result<SecretString, &'static str> {
    let mut text = zeroize::Zeroizing::new(String::new());
    let most = u64::try_from(limits::ASSERTION_BYTES_MAX).unwrap_or(u64::MAX);
    let file = std::fs::File::open(path).map_err(|_| "cannot be read")?;
    file.take(most + 1).read_to_string(&mut text).map_err(|_| "cannot be read")?;
    let assertion = text.trim();
    let is_jwt = assertion.split('.').count() == 3
        && assertion.len() <= limits::ASSERTION_BYTES_MAX
        && assertion.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.=".contains(&b));
    if is_jwt { Ok(SecretString::from(assertion)) } else { Err("holds no assertion (a JWT)") }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[tokio::test]
    async fn an_assertion_is_read_anew_each_time_and_is_a_jwt() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        assert_eq!(read(path.clone()).await.unwrap_err(), "cannot be read");
        for text in ["e30.e30.first\n", "e30.e30.second"] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(read(path.clone()).await.unwrap().expose_secret(), text.trim());
        }
        for text in ["", "no jwt", "a.b", "a.b.c d", &"a.".repeat(limits::ASSERTION_BYTES_MAX)] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(read(path.clone()).await.unwrap_err(), "holds no assertion (a JWT)", "{text:?}");
        }
    }
}
