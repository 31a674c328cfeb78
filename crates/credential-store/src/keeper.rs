//! Where the local key lies: in a file, among systemd's credentials, or in the database, wrapped by Vault's transit.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use async_trait::async_trait;

use crate::private_file::{PrivateFileError, read_credential_file, replace_private_file};
use crate::{Cause, LocalKey};

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error(transparent)]
    File(#[from] PrivateFileError),
    #[error("{} is not a key file of Postrider: put back the one that belongs to this data directory", path.display())]
    Garbled { path: PathBuf },
    #[error("the system gives no random bytes")]
    NoRandomness,
    /// The store beneath, or Vault.
    #[error("the local key cannot be had now")]
    Unavailable {
        #[source]
        cause: Cause,
    },
    #[error("the wrapped key in the database does not open: use the transit key that wrapped it")]
    NotOurs,
    #[error("the local key was changed by somebody else meanwhile: run the command again")]
    Changed,
    #[error(
        "{} is systemd's and cannot be written: decrypt it to a file, rekey with credentials.key = \"file\", and \
         encrypt the result again", path.display()
    )]
    ReadOnly { path: PathBuf },
}

impl KeyError {
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::File(PrivateFileError::Missing { .. }))
    }
}

#[async_trait]
pub trait KeyKeeper: Send + Sync {
    /// As it is now.
    async fn load(&self) -> Result<LocalKey, KeyError>;
    /// Puts another key in its place, whole or not at all.
    async fn replace(&self, key: &LocalKey) -> Result<(), KeyError>;
}

/// A file that only its owner may read.
#[derive(Debug)]
pub struct KeyFile(PathBuf);

impl KeyFile {
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }
}

#[async_trait]
impl KeyKeeper for KeyFile {
    async fn load(&self) -> Result<LocalKey, KeyError> {
        LocalKey::load(&self.0)
    }

    async fn replace(&self, key: &LocalKey) -> Result<(), KeyError> {
        Ok(replace_private_file(&self.0, key.to_text().as_bytes())?)
    }
}

/// A file of `$CREDENTIALS_DIRECTORY`, whose rights systemd sees to.
#[derive(Debug)]
pub struct SystemdCredential(PathBuf);

impl SystemdCredential {
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }
}

#[async_trait]
impl KeyKeeper for SystemdCredential {
    async fn load(&self) -> Result<LocalKey, KeyError> {
        let text = read_credential_file(&self.0)?;
        LocalKey::parse(&text).ok_or_else(|| KeyError::Garbled { path: self.0.clone() })
    }

    async fn replace(&self, _: &LocalKey) -> Result<(), KeyError> {
        Err(KeyError::ReadOnly { path: self.0.clone() })
    }
}

/// Where the wrapped key lies. Opaque to its keeper.
#[async_trait]
pub trait WrappedKeys: Send + Sync {
    async fn get(&self) -> Result<Option<String>, Cause>;
    /// `false`: it is no longer what it was until now.
    async fn swap(&self, until_now: Option<&str>, wrapped: &str) -> Result<bool, Cause>;
}

/// What wraps it, and never shows its own key.
#[async_trait]
pub trait Wrapping: Send + Sync {
    async fn wrap(&self, plaintext: &[u8]) -> Result<String, Cause>;
    /// Nothing, if it is not what this wrapped.
    async fn unwrap(&self, wrapped: &str) -> Result<Option<zeroize::Zeroizing<Vec<u8>>>, Cause>;
}

/// A key in the database, wrapped by a key of somebody else's. Made the first time it is asked for.
pub struct WrappedKey {
    keys: std::sync::Arc<dyn WrappedKeys>,
    wrapping: std::sync::Arc<dyn Wrapping>,
    /// As it was last unwrapped: what has not changed is not unwrapped again.
    last: Mutex<Option<(String, LocalKey)>>,
}

impl WrappedKey {
    pub fn new(keys: std::sync::Arc<dyn WrappedKeys>, wrapping: std::sync::Arc<dyn Wrapping>) -> Self {
        Self { keys, wrapping, last: Mutex::default() }
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Option<(String, LocalKey)>> {
        self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    async fn swap(&self, until_now: Option<&str>, key: &LocalKey) -> Result<bool, KeyError> {
        let wrapped = self.wrapping.wrap(key.to_text().as_bytes()).await.map_err(unavailable)?;
        self.keys.swap(until_now, &wrapped).await.map_err(unavailable)
    }
}

#[async_trait]
impl KeyKeeper for WrappedKey {
    async fn load(&self) -> Result<LocalKey, KeyError> {
        let mut wrapped = self.keys.get().await.map_err(unavailable)?;
        if wrapped.is_none() {
            // Another replica may have been faster: what is there then holds.
            self.swap(None, &LocalKey::generate()?).await?;
            wrapped = self.keys.get().await.map_err(unavailable)?;
        }
        let wrapped = wrapped.ok_or(KeyError::Changed)?;
        if let Some((_, key)) = self.last().as_ref().filter(|(last, _)| *last == wrapped) {
            return Ok(key.clone());
        }
        let text = self.wrapping.unwrap(&wrapped).await.map_err(unavailable)?.ok_or(KeyError::NotOurs)?;
        let key = std::str::from_utf8(&text).ok().and_then(LocalKey::parse).ok_or(KeyError::NotOurs)?;
        *self.last() = Some((wrapped, key.clone()));
        Ok(key)
    }

    async fn replace(&self, key: &LocalKey) -> Result<(), KeyError> {
        let until_now = self.last().as_ref().map(|(wrapped, _)| wrapped.clone());
        let swapped = self.swap(until_now.as_deref(), key).await?;
        swapped.then_some(()).ok_or(KeyError::Changed)
    }
}

fn unavailable(cause: Cause) -> KeyError {
    KeyError::Unavailable { cause }
}
