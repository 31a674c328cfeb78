//! Where the secret part of settings lives, and nowhere else.
//!
//! | store | where |
//! | --- | --- |
//! | [`SealedCredentialStore`] | encrypted here, under the local key; the ciphertext lies in the database |
//! | [`VaultCredentialStore`] | HashiCorp Vault, KV version 2: one secret a reseller |
//!
//! Here too, for it needs the local key: [`ContentSeal`], which seals mail by a data key of its reseller's.
//!
//! Settings and credential lie in two places that no transaction spans, so a credential is versioned: it is put beside
//! the one in use, the settings are committed with the new version's exact name, and only then, some time after, is the
//! old one pruned.
//!
//! Rules
//! - A put never touches another version, and no version's name is ever given twice.
//! - A version is read by its exact name: there is no "latest", so the orphan of a put that died is never adopted.
//! - What cannot be proven to be the secret that was put is [`CredentialStoreError::Damaged`], never a wrong secret.
//! - No secret is in an error, in `Debug`, or in what is stored.
//!
//! Crash: between put and commit an orphan remains, between commit and prune the old version. Who wrote down before the
//! put that it began finds both.
//! Knows: `domain`. Does not know: the database, whose tables serve [`SealedRecords`] and [`WrappedKeys`] through an
//! adapter in `server`.
//! Read first: `conformance.rs`, which every store passes.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod content;
mod error;
mod framing;
mod keeper;
mod keyed_hash;
mod local_key;
mod parts;
mod private_file;
mod sealed;
mod vault;

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_domain::{Credential, CredentialInfo, CredentialVersion, Fingerprint, ResellerId};
use uuid::Uuid;

pub use content::{ContentSeal, DATA_KEY, NotOpened};
pub use error::{Cause, CredentialStoreError};
pub use keeper::{KeyError, KeyFile, KeyKeeper, SystemdCredential, WrappedKey, WrappedKeys, Wrapping};
pub use keyed_hash::KeyedHash;
pub use local_key::{Created, KeyPurpose, LocalKey};
pub use private_file::{PrivateFileError, read_private_file, write_private_file};
pub use sealed::{PlacedRecord, RekeyError, Rekeyed, SealedCredentialStore, SealedRecords, rekey};
pub use vault::{
    Vault, VaultAuth, VaultCredentialStore, VaultError, VaultFault, VaultProbe, VaultSettings,
    VaultSetupError, VaultTransit,
};

/// Tells whether two credentials are the same, wherever they lie.
pub fn fingerprint(credential: &Credential, key: &LocalKey) -> Fingerprint {
    parts::Parts::of(credential).fingerprint(&KeyedHash::new(key, KeyPurpose::CredentialFingerprint))
}

/// Who puts a credential, and under which id.
#[derive(Debug, Clone)]
pub struct Change {
    pub id: Uuid,
    /// Who asked for it, for whoever looks into the store.
    pub by: String,
    pub time: Timestamp,
    /// What the settings name until now: no put costs it.
    pub in_use: Option<CredentialVersion>,
}

/// Settings that were deleted just now.
#[derive(Debug, Clone, Copy)]
pub struct Deletion<'a> {
    /// The version that they named.
    pub in_use: &'a CredentialVersion,
    pub time: Timestamp,
    /// By how much the clock of a store may differ from the one that told the time.
    pub clocks_differ: Duration,
}

/// What another hand did in a store to the credential in use.
#[derive(Debug, Default)]
pub struct ByAnotherHand {
    /// The newest credential that was put in its place.
    pub put: Option<CredentialInfo>,
    /// The newest that was put in its place and is never taken.
    pub unusable: Option<(CredentialVersion, Unusable)>,
    /// What reading the one in use says, where it cannot be read any more.
    pub lost: Option<CredentialStoreError>,
}

/// Why what another hand put is not even tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    #[error("it is no credential: write client_secret, and expire_time in RFC 3339 where it is known")]
    Malformed,
    /// Whoever may write a secret in Vault could lend themselves an identity of Postrider's own.
    #[error("it names a federated source, which is taken from PutSettings alone")]
    Federated,
}

#[async_trait]
pub trait CredentialStore: Send + Sync {
    /// Whether what lies there under a version of this name is this store's to read and destroy.
    fn reaches(&self, _version: &CredentialVersion) -> bool {
        true
    }

    /// As a put of it would tell it.
    fn fingerprint(&self, credential: &Credential) -> Fingerprint;

    /// Keeps a credential beside those already there, under a new version.
    async fn put(
        &self,
        reseller: &ResellerId,
        credential: &Credential,
        change: &Change,
    ) -> Result<CredentialInfo, CredentialStoreError>;

    async fn get(
        &self,
        reseller: &ResellerId,
        version: &CredentialVersion,
    ) -> Result<Credential, CredentialStoreError>;

    /// Destroys a reseller's versions that were put before a moment, but the one to keep: what was replaced, and orphans
    /// of puts that died. Younger ones may be another's, put and not yet committed. What another hand put in the place of
    /// the one to keep stays, too: it is not taken yet.
    async fn prune(
        &self,
        reseller: &ResellerId,
        keep: Option<&CredentialVersion>,
        put_before: Timestamp,
    ) -> Result<(), CredentialStoreError>;

    /// Destroys what deleted settings leave, as far as it was surely put before: nothing of a put that has begun since. What
    /// else there is, is pruned once the time has passed by which clocks may differ.
    async fn destroy_deleted(
        &self,
        reseller: &ResellerId,
        deletion: Deletion<'_>,
    ) -> Result<(), CredentialStoreError> {
        self.prune(reseller, None, deletion.time).await
    }

    /// What another hand did to the version in use. Never what a put of ours left there: that bears a mark which fits its
    /// content.
    async fn by_another_hand(
        &self,
        _reseller: &ResellerId,
        _in_use: &CredentialInfo,
    ) -> Result<ByAnotherHand, CredentialStoreError> {
        Ok(ByAnotherHand::default())
    }
}
