//! Tells of credentials that end: 30, 14, 7, 3 and 1 days before, and when it has come.
//!
//! Each stage of each version is told once by a process; which stages were passed before it started is not known, so the
//! one that holds is told again. Knows only what is known of expiry where it was given.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use postrider_domain::{Clock, CredentialVersion, ResellerId, limits};
use postrider_store::{DynStore, SettingsFilter, StoreError};

const LOOK: Duration = Duration::from_hours(1);
const PAGE: u32 = 200;

pub(crate) struct Notices {
    pub store: DynStore,
    pub clock: Arc<dyn Clock>,
}

/// What was told last of each reseller: the version, and how many days were left; 0: it had ended.
type Told = HashMap<ResellerId, (CredentialVersion, u16)>;

impl Notices {
    /// Never returns.
    pub(crate) async fn run(self) {
        let mut told = Told::new();
        loop {
            if let Err(error) = self.look(&mut told).await {
                tracing::warn!(event = "credentials_not_looked_at", %error, "credentials that end could not be looked for");
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn look(&self, told: &mut Told) -> Result<(), StoreError> {
        let now = self.clock.now();
        let (mut after, mut holds) = (None, Told::new());
        loop {
            let filter = SettingsFilter {
                expiring_before: Some(Timestamp::MAX),
                after,
                limit: PAGE,
                ..SettingsFilter::default()
            };
            let page = self.store.list_settings(filter).await?;
            for settings in &page.settings {
                let (reseller, credential) = (&settings.reseller, &settings.credential);
                let Some(end) = credential.expire_time else { continue };
                let Some(stage) = stage(end, now) else { continue };
                let stage = (credential.version.clone(), stage);
                if told.get(reseller) != Some(&stage) {
                    tracing::warn!(
                        event = "credential_expires", %reseller, expire_time = %end, days_left = stage.1,
                        kind = credential.kind.as_str(), "a credential ends"
                    );
                }
                holds.insert(reseller.clone(), stage);
            }
            after = page.settings.last().map(|settings| settings.reseller.clone());
            if !page.more {
                break;
            }
        }
        *told = holds;
        Ok(())
    }
}

/// The last of the notices' days that has come: 30, 14, 7, 3, 1, and 0 once it has ended.
fn stage(end: Timestamp, now: Timestamp) -> Option<u16> {
    if end <= now {
        return Some(0);
    }
    let left = end.duration_since(now);
    limits::CREDENTIAL_NOTICE_DAYS
        .into_iter()
        .rev()
        .find(|days| left <= SignedDuration::from_hours(24 * i64::from(*days)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stage_holds_until_the_next_one_comes() {
        let day = |day: i64| Timestamp::from_second(day * 24 * 3_600).unwrap();
        let stages = [69, 70, 85, 86, 93, 97, 98, 99, 100, 101].map(|now| stage(day(100), day(now)));
        assert_eq!(
            stages,
            [None, Some(30), Some(30), Some(14), Some(7), Some(3), Some(3), Some(1), Some(0), Some(0)]
        );
    }
}
