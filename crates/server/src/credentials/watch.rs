//! Looks at each reseller's credential from time to time: for a change by another hand in Vault that nobody told of, and
//! whether it can still be read.
//!
//! It takes what is left of a quota of Vault's: each request that the quota refuses, whoever made it, doubles the gap
//! between two looks, which then shrinks slowly.

use std::time::Duration;

use postrider_credential_store::Vault;
use postrider_domain::{ResellerId, Settings};
use postrider_store::{DynStore, SettingsFilter, StoreError};

use super::rotation::Rotation;
use crate::config::CredentialStoreKind;

const PAGE: u32 = 100;
/// Between two looks: 50 a second at most, however many resellers there are.
const GAP_MIN: Duration = Duration::from_millis(20);
const GAP_MAX: Duration = Duration::from_secs(5);
/// By this part of it the gap shrinks with each look.
const SHRINKS_BY: u32 = 200;

pub(crate) struct Watch {
    pub store: DynStore,
    pub rotation: Rotation,
    /// Between two looks at one credential, unless there are too many for it.
    pub interval: Duration,
    /// Where one is configured.
    pub vault: Option<Vault>,
}

impl Watch {
    /// Never returns.
    pub(crate) async fn run(self) {
        let mut gap = GAP_MIN;
        loop {
            let round = tokio::time::Instant::now();
            if let Err(error) = self.look_at_all(&mut gap).await {
                tracing::warn!(event = "credentials_not_looked_at", %error, "the credentials could not be looked at");
            }
            tokio::time::sleep_until(round + self.interval).await;
        }
    }

    async fn look_at_all(&self, gap: &mut Duration) -> Result<(), StoreError> {
        let mut after: Option<ResellerId> = None;
        loop {
            let filter = SettingsFilter { after, limit: PAGE, ..SettingsFilter::default() };
            let page = self.store.list_settings(filter).await?;
            for settings in &page.settings {
                if self.can_look_at(settings) {
                    let throttled = self.throttled();
                    self.rotation.catch_up(settings).await;
                    *gap = next(*gap, self.throttled() > throttled);
                    tokio::time::sleep(*gap).await;
                }
            }
            after = page.settings.last().map(|settings| settings.reseller.clone());
            if !page.more {
                return Ok(());
            }
        }
    }

    fn can_look_at(&self, settings: &Settings) -> bool {
        match CredentialStoreKind::of(&settings.credential.version) {
            CredentialStoreKind::Sealed => true,
            CredentialStoreKind::Vault => self.vault.as_ref().is_some_and(|vault| *vault.is_there().borrow()),
        }
    }

    fn throttled(&self) -> u64 {
        self.vault.as_ref().map_or(0, Vault::throttled)
    }
}

fn next(gap: Duration, is_throttled: bool) -> Duration {
    let next = if is_throttled { gap * 2 } else { gap.saturating_sub(gap / SHRINKS_BY) };
    next.clamp(GAP_MIN, GAP_MAX)
}
