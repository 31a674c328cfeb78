//! From the configuration: Vault, the local key, and the stores.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use postrider_credential_store::{
    ContentSeal, KeyError, KeyFile, KeyKeeper, LocalKey, SealedCredentialStore, SystemdCredential, Vault,
    VaultAuth, VaultCredentialStore, VaultError, VaultSettings, VaultSetupError, VaultTransit, WrappedKey,
};
use postrider_store::{ContentSealer, DynStore, StoreError};

use super::ports::{ContentPort, SealedPort};
use super::stores::CredentialStores;
use crate::config::{self, AuthMethod, Config, Database, KeySource};

const KEY_FILE: &str = "postrider.key";

/// Why credentials cannot be had, in one sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(
        "{database} is there but its key file {key} is not: put the key file back, without it the stored credentials \
         cannot be read",
        key = key.display()
    )]
    KeyFileGone { database: Database, key: PathBuf },
    #[error(
        "{key} is not the key file that belongs to {database}: put that one there (replicas have copies of one), for \
         without it the stored credentials cannot be read",
        key = key.display()
    )]
    OtherKeyFile { database: Database, key: PathBuf },
    #[error("credentials.key = \"transit\" needs vault.address")]
    NoVault,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(
        "credentials.key = \"systemd\" needs the folder that systemd names in CREDENTIALS_DIRECTORY: put \
         LoadCredentialEncrypted=postrider.key into the unit"
    )]
    NoSystemd,
    #[error(transparent)]
    VaultSetup(#[from] VaultSetupError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error("vault.ca_file {path} cannot be read: {cause}", path = path.display())]
    VaultCaFile { path: PathBuf, cause: std::io::Error },
}

/// The Vault of the configuration, if there is one. Where it is needed it is logged in to, so that a login that can
/// never succeed is told at the start; one that is away may come back.
pub(crate) async fn open_vault(config: &Config) -> Result<Option<Vault>, CredentialsError> {
    let Some(settings) = vault_settings(&config.vault)? else { return Ok(None) };
    let vault = Vault::new(settings)?;
    if config.credentials.need_vault() {
        match vault.log_in().await {
            Err(error) if error.is_configuration() || config.credentials.key == KeySource::Transit => {
                return Err(error.into());
            }
            Err(error) => {
                let error = crate::status::with_sources(&error);
                tracing::error!(event = "vault_away", error, "Vault does not serve: what needs it waits");
            }
            Ok(()) => {}
        }
    }
    Ok(Some(vault))
}

fn vault_settings(config: &config::Vault) -> Result<Option<VaultSettings>, CredentialsError> {
    let Some(address) = config.address.clone() else { return Ok(None) };
    let ca_pem = match &config.ca_file {
        Some(path) => Some(
            std::fs::read(path)
                .map_err(|cause| CredentialsError::VaultCaFile { path: path.clone(), cause })?,
        ),
        None => None,
    };
    let mount = config.auth_mount().to_owned();
    let file = |file: &Option<PathBuf>| file.clone().unwrap_or_default();
    let auth = match config.auth {
        AuthMethod::Token => VaultAuth::Token { file: file(&config.token_file) },
        AuthMethod::AppRole => VaultAuth::AppRole {
            mount,
            role_id: config.role_id.clone(),
            secret_id_file: file(&config.secret_id_file),
            wrapped: config.secret_id_wrapped,
        },
        AuthMethod::Jwt => VaultAuth::Jwt { mount, role: config.role.clone(), file: file(&config.jwt_file) },
        AuthMethod::Certificate => VaultAuth::Certificate {
            mount,
            certificate_file: file(&config.certificate_file),
            key_file: file(&config.key_file),
        },
    };
    let (namespace, timeout) = (config.namespace.clone(), config.timeout);
    Ok(Some(VaultSettings { address, ca_pem, namespace, auth, timeout }))
}

/// The local key, as far as it is found before the database is opened.
pub(crate) enum FoundKey {
    InFile {
        keys: Keys,
        file: PathBuf,
    },
    /// In the database, wrapped.
    Wrapped(Vault),
}

impl FoundKey {
    /// A key file that is not there is made only where there is no database either.
    pub(crate) async fn find(
        config: &Config,
        data_dir: &Path,
        database: &Database,
        vault: Option<&Vault>,
    ) -> Result<Self, CredentialsError> {
        let name = config.credentials.key_file.clone().unwrap_or_else(|| KEY_FILE.into());
        let (keeper, file): (Arc<dyn KeyKeeper>, PathBuf) = match config.credentials.key {
            KeySource::Transit => {
                return vault.cloned().map(Self::Wrapped).ok_or(CredentialsError::NoVault);
            }
            KeySource::File => {
                let file = config.credentials.key_file.clone().unwrap_or_else(|| data_dir.join(KEY_FILE));
                if !database.exists() {
                    LocalKey::load_or_create(&file)?;
                }
                (Arc::new(KeyFile::new(&file)), file)
            }
            KeySource::Systemd => {
                let folder = config.systemd_credentials.as_deref().ok_or(CredentialsError::NoSystemd)?;
                let file = folder.join(name);
                (Arc::new(SystemdCredential::new(&file)), file)
            }
        };
        let key = keeper.load().await.map_err(|error| match error {
            missing if missing.is_missing() && database.exists() => {
                CredentialsError::KeyFileGone { database: database.clone(), key: file.clone() }
            }
            other => other.into(),
        })?;
        Ok(Self::InFile { keys: Keys { keeper, key }, file })
    }

    /// With the database open, which belongs to one key.
    pub(crate) async fn keys(
        self,
        config: &config::Vault,
        store: &DynStore,
        database: &Database,
    ) -> Result<Keys, CredentialsError> {
        let (keys, file) = match self {
            Self::InFile { keys, file } => (keys, file),
            Self::Wrapped(vault) => {
                let transit = VaultTransit::new(vault, &config.transit_mount, &config.transit_key);
                let keeper = WrappedKey::new(Arc::new(SealedPort(Arc::clone(store))), Arc::new(transit));
                let key = keeper.load().await?;
                (Keys { keeper: Arc::new(keeper), key }, PathBuf::from("the key in the database"))
            }
        };
        if store.bind_key(&keys.key.id()).await? {
            Ok(keys)
        } else {
            Err(CredentialsError::OtherKeyFile { database: database.clone(), key: file })
        }
    }
}

/// The local key, and who keeps it.
pub(crate) struct Keys {
    keeper: Arc<dyn KeyKeeper>,
    pub key: LocalKey,
}

impl Keys {
    pub(crate) fn keeper(&self) -> &dyn KeyKeeper {
        self.keeper.as_ref()
    }

    /// What seals mail.
    pub(crate) fn content(&self) -> Arc<dyn ContentSealer> {
        Arc::new(ContentPort(ContentSeal::new(Arc::clone(&self.keeper), self.key.clone())))
    }

    pub(crate) fn stores(
        &self,
        config: &Config,
        store: &DynStore,
        vault: Option<&Vault>,
    ) -> CredentialStores {
        let records = Arc::new(SealedPort(Arc::clone(store)));
        let in_vault = |vault: &Vault| {
            let (mount, prefix) = (&config.vault.mount, &config.vault.prefix);
            Arc::new(VaultCredentialStore::new(vault.clone(), mount, prefix, &self.key))
        };
        CredentialStores {
            puts_to: config.credentials.store,
            sealed: SealedCredentialStore::new(records, Arc::clone(&self.keeper), self.key.clone()),
            vault: vault.map(in_vault),
        }
    }
}
