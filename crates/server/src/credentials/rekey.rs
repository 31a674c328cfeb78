//! `postrider credentials rekey`: another key seals from now on, and all that lies in the database is sealed by it.

use postrider_credential_store::{RekeyError, Rekeyed};

use super::ports::SealedPort;
use crate::config::Config;
use crate::offline::{Offline, OfflineError};

#[derive(Debug, thiserror::Error)]
pub enum RekeyFailed {
    #[error(transparent)]
    Offline(#[from] OfflineError),
    #[error(transparent)]
    Rekey(#[from] RekeyError),
}

/// `progress` is told how many records were looked at. Killed anywhere, the next run goes on.
pub async fn rekey(config: &Config, progress: impl FnMut(u64) + Send) -> Result<Rekeyed, RekeyFailed> {
    let offline = Offline::open(config).await?;
    let records = SealedPort(offline.store());
    let rekeyed = postrider_credential_store::rekey(&records, offline.keys.keeper(), progress).await;
    offline.close().await;
    Ok(rekeyed?)
}
