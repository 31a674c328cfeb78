//! The database and the keys without the service: for commands that change what a running service holds, and those that look
//! at the database alone.

use std::path::PathBuf;
use std::sync::Arc;

use postrider_credential_store::{KeyPurpose, KeyedHash, Vault};
use postrider_domain::{Clock, SystemClock};
use postrider_store::{Checked, DynStore, Migrated, PostgresStore, SqliteStore, StoreError};
use secrecy::{ExposeSecret as _, SecretString};

use crate::access::{AdminKeyError, make_another_admin_key};
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
    #[error(transparent)]
    AdminKey(#[from] AdminKeyError),
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

/// Makes a key that may do everything, and gives it whole. On PostgreSQL also beside a running service.
pub async fn recover_access(config: &Config) -> Result<SecretString, OfflineError> {
    let database = database(config)?;
    let data_dir = match database {
        Database::Sqlite(_) => Some(DataDir::open(&config.data_dir)?),
        Database::Postgres(_) => None,
    };
    let offline = Offline::of(config, &database, data_dir).await?;
    let pepper = KeyedHash::new(&offline.keys.key, KeyPurpose::AccessKeys);
    let made = make_another_admin_key(offline.store(), &pepper, offline.clock.as_ref()).await;
    offline.close().await;
    Ok(made?)
}

/// The database of the configuration, which is there already if it is a file.
fn database(config: &Config) -> Result<Database, OfflineError> {
    match config.storage.database(&config.data_dir.join("postrider.db")) {
        Database::Sqlite(file) if !file.exists() => Err(OfflineError::NoDatabase(file)),
        database => Ok(database),
    }
}

pub(crate) struct Offline {
    /// While it is held, no other process has it.
    _data_dir: Option<DataDir>,
    store: DynStore,
    pub clock: Arc<dyn Clock>,
    pub keys: Keys,
    vault: Option<Vault>,
}

impl Offline {
    /// Held by this process alone.
    pub(crate) async fn open(config: &Config) -> Result<Self, OfflineError> {
        let database = database(config)?;
        let data_dir = DataDir::open(&config.data_dir)?;
        Self::of(config, &database, Some(data_dir)).await
    }

    async fn of(
        config: &Config,
        database: &Database,
        data_dir: Option<DataDir>,
    ) -> Result<Self, OfflineError> {
        let vault = open_vault(config).await?;
        let found = FoundKey::find(config, &config.data_dir, database, vault.as_ref()).await?;
        let Opened { store, clock, .. } = Opened::open(config, database).await?;
        let keys = found.keys(&config.vault, &store, database).await?;
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
