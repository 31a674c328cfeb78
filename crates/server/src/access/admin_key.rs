//! The first key: made when the store has never held one, so that there is somebody who can make others.
//!
//! The file is written before the store is told. A crash between the two leaves a file whose key nobody knows, and the
//! next start writes another over it; the other order could leave a store that has a key nobody holds.

use std::path::Path;

use postrider_credential_store::KeyedHash;
use postrider_domain::Clock;
use postrider_store::{AccessKey, AccessStore, Scope, StoreError};
use secrecy::ExposeSecret;

use super::key::{Minted, NoRandomness};
use crate::data_dir::{DataDirError, write_whole};

#[derive(Debug, thiserror::Error)]
pub enum AdminKeyError {
    #[error("the first access key cannot be written: {0}")]
    File(#[from] DataDirError),
    #[error("the first access key cannot be stored: {0}")]
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
    write_whole(file, format!("{}\n", text.expose_secret()).as_bytes())?;
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
