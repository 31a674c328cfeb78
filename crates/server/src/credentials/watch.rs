//! Looks at each reseller's secret in Vault from time to time, for a change by another hand that nobody told of.

use std::time::Duration;

use postrider_domain::{ResellerId, Settings};
use postrider_store::{DynStore, SettingsFilter, StoreError};
use tokio::sync::watch;

use super::rotation::Rotation;
use crate::config::CredentialStoreKind;

const PAGE: u32 = 100;
/// The most looks a second, however many resellers there are.
const LOOKS_A_SECOND: u32 = 50;

pub(crate) struct Watch {
    pub store: DynStore,
    pub rotation: Rotation,
    /// Between two looks at one secret, unless there are too many for it.
    pub interval: Duration,
    pub is_vault_there: watch::Receiver<bool>,
}

impl Watch {
    /// Never returns.
    pub(crate) async fn run(self) {
        loop {
            let round = tokio::time::Instant::now();
            if let Err(error) = self.look_at_all().await {
                tracing::warn!(event = "credentials_not_looked_at", %error, "the secrets in Vault could not be looked at");
            }
            tokio::time::sleep_until(round + self.interval).await;
        }
    }

    async fn look_at_all(&self) -> Result<(), StoreError> {
        let mut after: Option<ResellerId> = None;
        loop {
            let filter = SettingsFilter { after, limit: PAGE, ..SettingsFilter::default() };
            let page = self.store.list_settings(filter).await?;
            for settings in &page.settings {
                self.look_at(settings).await;
            }
            after = page.settings.last().map(|settings| settings.reseller.clone());
            if !page.more {
                return Ok(());
            }
        }
    }

    async fn look_at(&self, settings: &Settings) {
        let lies_in_vault =
            CredentialStoreKind::of(&settings.credential.version) == CredentialStoreKind::Vault;
        if lies_in_vault && *self.is_vault_there.borrow() {
            self.rotation.catch_up(settings).await;
            tokio::time::sleep(Duration::from_secs(1) / LOOKS_A_SECOND).await;
        }
    }
}
