//! The database and the keys without the service: for commands that change what a running service holds.

use std::path::PathBuf;
use std::sync::Arc;

use postrider_credential_store::Vault;
use postrider_domain::SystemClock;
use postrider_store::{DynStore, SqliteStore, StoreError, StoreKind};

use crate::config::Config;
use crate::credentials::{CredentialStores, CredentialsError, FoundKey, Keys, open_vault};
use crate::data_dir::{DataDir, DataDirError};

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
    store: Arc<SqliteStore>,
    pub keys: Keys,
    vault: Option<Vault>,
}

impl Offline {
    pub(crate) async fn open(config: &Config) -> Result<Self, OfflineError> {
        let database = config.storage.sqlite_path(&config.data_dir.join("postrider.db"));
        if !database.exists() {
            return Err(OfflineError::NoDatabase(database));
        }
        let data_dir = DataDir::open(&config.data_dir)?;
        let vault = open_vault(config).await?;
        let found = FoundKey::find(config, &config.data_dir, &database, vault.as_ref()).await?;
        let kind = if config.sandbox { StoreKind::Sandbox } else { StoreKind::Real };
        let store = Arc::new(SqliteStore::open(&database, kind, Arc::new(SystemClock)).await?);
        let keys = found.keys(&config.vault, &(Arc::clone(&store) as DynStore), &database).await?;
        Ok(Self { _data_dir: data_dir, store, keys, vault })
    }

    pub(crate) fn store(&self) -> DynStore {
        Arc::clone(&self.store) as DynStore
    }

    pub(crate) fn stores(&self, config: &Config) -> CredentialStores {
        self.keys.stores(config, &self.store(), self.vault.as_ref())
    }

    pub(crate) async fn close(self) {
        self.store.close().await;
    }
}
