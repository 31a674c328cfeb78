//! The first key: made when the store has never held one, so that there is somebody who can make others. And another, for when
//! all that could are lost: whoever has the database and the local key could write one anyhow.
//!
//! The file is written before the store is told. A crash between the two leaves a file whose key nobody knows, and the
//! next start writes another over it; the other order could leave a store that has a key nobody holds.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use postrider_credential_store::{KeyedHash, PrivateFileError, write_private_file};
use postrider_domain::{Act, Clock};
use postrider_store::{AccessKey, AccessStore, DynStore, Scope, StoreError};
use secrecy::{ExposeSecret, SecretString};

use super::key::{Minted, NoRandomness};
use crate::status::with_sources;

#[derive(Debug, thiserror::Error)]
pub enum AdminKeyError {
    #[error("the first access key is not written: {}", with_sources(.0))]
    File(#[from] PrivateFileError),
    #[error("the first access key is not written: cannot replace {path}: {cause}", path = path.display())]
    Stale { path: PathBuf, cause: io::Error },
    #[error("the access key is not stored: {0}")]
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
    let minted = Minted::fresh(pepper)?;
    remove_stale(file)?;
    write_private_file(file, format!("{}\n", minted.text.expose_secret()).as_bytes())?;
    store.create_key(admin("admin", &minted, clock.now())).await?;
    Ok(true)
}

/// A key that may do everything, beside all that there are: its whole text.
pub(crate) async fn make_another_admin_key(
    store: DynStore,
    pepper: &KeyedHash,
    clock: &dyn Clock,
) -> Result<SecretString, AdminKeyError> {
    let minted = Minted::fresh(pepper)?;
    let key = admin("recovered", &minted, clock.now());
    let act = made_here(&[("key_id", key.id.as_str()), ("scopes", "admin"), ("by", "recover-access")]);
    store.by(act).create_key(key).await?;
    Ok(minted.text)
}

/// Of a key that nobody called for.
pub(crate) fn made_here(details: &[(&str, &str)]) -> Act {
    Act {
        actor: "postrider".to_owned(),
        action: "CreateKey".to_owned(),
        resellers: Vec::new(),
        source_address: String::new(),
        details: details.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    }
}

fn admin(name: &str, minted: &Minted, create_time: Timestamp) -> AccessKey {
    AccessKey {
        id: minted.id.clone(),
        name: name.to_owned(),
        hash: minted.hash,
        scopes: vec![Scope::Admin],
        resellers: Vec::new(),
        create_time,
        expire_time: None,
        last_use_time: None,
        revoke_time: None,
    }
}

fn remove_stale(file: &Path) -> Result<(), AdminKeyError> {
    match fs::remove_file(file) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
            Err(AdminKeyError::Stale { path: file.to_owned(), cause })
        }
        _ => Ok(()),
    }
}
