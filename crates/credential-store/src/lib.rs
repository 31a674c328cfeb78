//! Where the secret part of settings lives, and nowhere else.
//!
//! Settings and credential lie in two places that no transaction spans, so a credential is versioned: it is put beside
//! the one in use, the settings are committed with the new version's exact name, and only then is the old one pruned.
//!
//! Rules
//! - A put never touches another version, and no version's name is ever given twice.
//! - A version is read by its exact name: there is no "latest", so the orphan of a put that died is never adopted.
//! - What cannot be proven to be the secret that was put is [`CredentialStoreError::Damaged`], never a wrong secret.
//! - No secret is in an error, in `Debug`, or in what is stored.
//!
//! Crash: between put and commit an orphan remains, which the next [`CredentialStore::prune`] deletes. Between commit
//! and prune the old version remains, and goes the same way.
//! Knows: `domain`. Does not know: the database, whose tables serve [`SealedRecords`] through an adapter in `server`.
//! Read first: `conformance.rs`, which every store passes.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod error;
mod framing;
mod keyed_hash;
mod local_key;
mod private_file;
mod sealed;
mod stored;

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_domain::{Credential, CredentialInfo, CredentialVersion, ResellerId};

pub use error::{Cause, CredentialStoreError};
pub use keyed_hash::KeyedHash;
pub use local_key::{Created, KeyPurpose, LocalKey, LocalKeyError};
pub use private_file::{PrivateFileError, read_private_file, write_private_file};
pub use sealed::{SealedCredentialStore, SealedRecords};

#[async_trait]
pub trait CredentialStore: Send + Sync {
    /// Keeps a credential beside those already there, under a new version.
    async fn put(
        &self,
        reseller: &ResellerId,
        credential: &Credential,
        now: Timestamp,
    ) -> Result<CredentialInfo, CredentialStoreError>;

    async fn get(
        &self,
        reseller: &ResellerId,
        version: &CredentialVersion,
    ) -> Result<Credential, CredentialStoreError>;

    /// Destroys all of a reseller's versions but the one to keep: the replaced one, and orphans of puts that died.
    ///
    /// The caller holds off other changes of this reseller's settings from its put to its prune: a version that a
    /// slower twin has put but not committed would be destroyed too.
    async fn prune(
        &self,
        reseller: &ResellerId,
        keep: Option<&CredentialVersion>,
    ) -> Result<(), CredentialStoreError>;

    /// Whether it can be asked at all.
    async fn health(&self) -> Result<(), CredentialStoreError>;
}
