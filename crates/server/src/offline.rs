//! The database and the keys without the service: for commands that change what a running service holds.

use std::path::PathBuf;
use std::sync::Arc;

use postrider_credential_store::Vault;
use postrider_domain::Clock;
use postrider_store::{DynStore, StoreError};

use crate::config::{Config, Database};
use crate::credentials::{CredentialStores, CredentialsError, FoundKey, Keys, open_vault};
use crate::data_dir::{DataDir, DataDirError};
use crate::open::Opened;

#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error("there is no database at {}: name the data directory with --data-dir", .0.display())]
    NoDatabase(PathBuf),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{}", crate::status::with_sources(.0))]
    Credentials(#[from] CredentialsError),
}

/// Held by this process alone.
pub(crate) struct Offline {
    _data_dir: DataDir,
    store: DynStore,
    pub clock: Arc<dyn Clock>,
    pub keys: Keys,
    vault: Option<Vault>,
}

impl Offline {
    pub(crate) async fn open(config: &Config) -> Result<Self, OfflineError> {
        let database = config.storage.database(&config.data_dir.join("postrider.db"));
        if let Database::Sqlite(file) = &database
            && !file.exists()
        {
            return Err(OfflineError::NoDatabase(file.clone()));
        }
        let data_dir = DataDir::open(&config.data_dir)?;
        let vault = open_vault(config).await?;
        let found = FoundKey::find(config, &config.data_dir, &database, vault.as_ref()).await?;
        let Opened { store, clock, .. } = Opened::open(config, &database).await?;
        let keys = found.keys(&config.vault, &store, &database).await?;
        Ok(Self { _data_dir: data_dir, store, clock, keys, vault })
    }

    pub(crate) fn store(&self) -> DynStore {
        Arc::clone(&self.store)
    }

    pub(crate) fn stores(&self, config: &Config) -> CredentialStores {
        self.keys.stores(config, &self.store(), self.vault.as_ref())
    }

    pub(crate) async fn close(self) {
        self.store.close().await;
    }
}
