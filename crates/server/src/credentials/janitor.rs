//! Destroys what no settings name: credentials that were replaced, and what puts and deletions that died left behind.
//!
//! Each of them began with a row in the database, and only after a while is it looked at: until then a replica may still
//! use what was replaced, or commit what it put. What is closed can be committed no more, so what the settings name after
//! that is what is to be kept. What lies in a Vault that is not configured any more stays noted until one is.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use postrider_credential_store::CredentialStore;
use postrider_domain::{Clock, ResellerId};
use postrider_store::{DynStore, StoreError};

use crate::status::with_sources;

/// Resellers looked at in one go.
const AT_ONCE: u32 = 100;
const LOOK_MIN: Duration = Duration::from_millis(500);
const LOOK_MAX: Duration = Duration::from_mins(1);

pub(crate) struct Janitor {
    pub store: DynStore,
    pub credentials: Arc<dyn CredentialStore>,
    pub clock: Arc<dyn Clock>,
    /// How long what was replaced is kept.
    pub keep: Duration,
}

impl Janitor {
    /// Never returns.
    pub(crate) async fn run(self) {
        let pause = (self.keep / 2).clamp(LOOK_MIN, LOOK_MAX);
        loop {
            tokio::time::sleep(pause).await;
            let before = self.clock.now().saturating_sub(self.keep).unwrap_or(Timestamp::MIN);
            if let Err(error) = self.look(before).await {
                tracing::warn!(event = "pruning_failed", %error, "replaced credentials could not be looked for");
            }
        }
    }

    async fn look(&self, before: Timestamp) -> Result<(), StoreError> {
        for (reseller, _) in self.store.due_changes(before, AT_ONCE).await? {
            if !self.destroy(&reseller, before).await? {
                break;
            }
        }
        Ok(())
    }

    /// Whether the credential store serves.
    async fn destroy(&self, reseller: &ResellerId, before: Timestamp) -> Result<bool, StoreError> {
        let replaced = self.store.close_changes(reseller, before).await?;
        let settings = self.store.get_settings(reseller).await?;
        let keep = settings.as_ref().map(|settings| &settings.credential.version);
        if let Err(error) = self.credentials.prune(reseller, keep, before).await {
            let (serves, error) = (!error.is_outage(), with_sources(&error));
            tracing::warn!(event = "pruning_failed", %reseller, error, "replaced credentials are left for the next look");
            return Ok(serves);
        }
        tracing::debug!(event = "credentials_pruned", %reseller);
        let out_of_reach: Vec<_> =
            replaced.into_iter().filter(|version| !self.credentials.reaches(version)).collect();
        if !out_of_reach.is_empty() {
            tracing::warn!(
                event = "credentials_out_of_reach", %reseller, count = out_of_reach.len(),
                "replaced credentials lie in Vault and vault.address is not set: they are destroyed once it is"
            );
        }
        self.store.end_changes(reseller, before, out_of_reach, self.clock.now()).await?;
        Ok(true)
    }
}
