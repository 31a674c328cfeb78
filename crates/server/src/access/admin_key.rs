//! The first key: made when the store has never held one, so that there is somebody who can make others.
//!
//! The file is written before the store is told. A crash between the two leaves a file whose key nobody knows, and the
//! next start writes another over it; the other order could leave a store that has a key nobody holds.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use postrider_credential_store::{KeyedHash, PrivateFileError, write_private_file};
use postrider_domain::Clock;
use postrider_store::{AccessKey, AccessStore, Scope, StoreError};
use secrecy::ExposeSecret;

use super::key::{Minted, NoRandomness};
use crate::status::with_sources;

#[derive(Debug, thiserror::Error)]
pub enum AdminKeyError {
    #[error("the first access key is not written: {}", with_sources(.0))]
    File(#[from] PrivateFileError),
    #[error("the first access key is not written: cannot replace {path}: {cause}", path = path.display())]
    Stale { path: PathBuf, cause: io::Error },
    #[error("the first access key is not stored: {0}")]
    Store(#[from] StoreError),
    #[error(transparent)]
    Chance(#[from] NoRandomness),
}

/// Whether a key was made; it is then in the file, of mode 0600.
pub async fn make_admin_key(
    store: &dyn AccessStore,
    pepper: &KeyedHash,
    clock: &dyn Clock,
    file: &Path,
) -> Result<bool, AdminKeyError> {
    if store.has_held_a_key().await? {
        return Ok(false);
    }
    let Minted { id, hash, text } = Minted::fresh(pepper)?;
    remove_stale(file)?;
    write_private_file(file, format!("{}\n", text.expose_secret()).as_bytes())?;
    let key = AccessKey {
        id,
        name: "admin".to_owned(),
        hash,
        scopes: vec![Scope::Admin],
        resellers: Vec::new(),
        create_time: clock.now(),
        expire_time: None,
        last_use_time: None,
        revoke_time: None,
    };
    store.create_key(key).await?;
    Ok(true)
}

fn remove_stale(file: &Path) -> Result<(), AdminKeyError> {
    match fs::remove_file(file) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
            Err(AdminKeyError::Stale { path: file.to_owned(), cause })
        }
        _ => Ok(()),
    }
}
