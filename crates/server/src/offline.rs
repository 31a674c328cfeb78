//! The database and the keys without the service: for commands that change what a running service holds, and those that look
//! at the database alone.

use std::path::PathBuf;
use std::sync::Arc;

use postrider_credential_store::Vault;
use postrider_domain::{Clock, SystemClock};
use postrider_store::{Checked, DynStore, Migrated, PostgresStore, SqliteStore, StoreError};
use secrecy::ExposeSecret as _;

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

/// Runs the invariants of the store on what is stored, and changes nothing; also beside a running service.
pub async fn check_store(config: &Config) -> Result<Vec<Checked>, OfflineError> {
    Ok(match database(config)? {
        Database::Sqlite(file) => SqliteStore::check(&file, SystemClock::default().now()).await?,
        Database::Postgres(url) => PostgresStore::check(url.expose_secret()).await?,
    })
}

/// Brings the database to the schema of this program.
pub async fn migrate(config: &Config) -> Result<Migrated, OfflineError> {
    Ok(match database(config)? {
        Database::Sqlite(file) => SqliteStore::migrate(&file).await?,
        Database::Postgres(url) => PostgresStore::migrate(url.expose_secret()).await?,
    })
}

/// The database of the configuration, which is there already if it is a file.
fn database(config: &Config) -> Result<Database, OfflineError> {
    match config.storage.database(&config.data_dir.join("postrider.db")) {
        Database::Sqlite(file) if !file.exists() => Err(OfflineError::NoDatabase(file)),
        database => Ok(database),
    }
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
        let database = database(config)?;
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
