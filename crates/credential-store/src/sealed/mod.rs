//! Credentials sealed here, their ciphertext kept elsewhere: the embedded default.
//!
//! The keeper of [`SealedRecords`] is not trusted: a record that was changed, or moved to another reseller or version,
//! does not open. What it can do is withhold a record, or bring back one that was pruned under the very same version.
//!
//! The key may be replaced while this runs: before a put it is read anew, and so it is for a record that names a key not
//! known yet.
//!
//! Read first: `a_moved_record_is_damaged` in `tests.rs`.

pub(crate) mod envelope;
mod plaintext;
mod rekey;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_domain::{Credential, CredentialInfo, CredentialVersion, Fingerprint, ResellerId};

use crate::parts::Parts;
use crate::{
    ByAnotherHand, Cause, Change, CredentialStore, CredentialStoreError, KeyKeeper, KeyPurpose, KeyedHash,
    LocalKey,
};
use envelope::{Closed, Place};

pub use rekey::{RekeyError, Rekeyed, rekey};

/// One record, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedRecord {
    pub reseller: ResellerId,
    pub version: CredentialVersion,
    pub sealed: Vec<u8>,
}

/// Where ciphertext lies. Opaque to its keeper.
#[async_trait]
pub trait SealedRecords: Send + Sync {
    /// Adds a record; the version is new.
    async fn put(
        &self,
        reseller: &ResellerId,
        version: &CredentialVersion,
        sealed: Vec<u8>,
        now: Timestamp,
    ) -> Result<(), Cause>;

    async fn get(&self, reseller: &ResellerId, version: &CredentialVersion)
    -> Result<Option<Vec<u8>>, Cause>;

    /// Deletes the records of a reseller that were put before a moment, but the one to keep.
    async fn prune(
        &self,
        reseller: &ResellerId,
        keep: Option<&CredentialVersion>,
        put_before: Timestamp,
    ) -> Result<(), Cause>;

    /// Some records after this one, in an order that stays.
    async fn list(&self, after: Option<&PlacedRecord>) -> Result<Vec<PlacedRecord>, Cause>;

    /// Whether anything still names this record. What nothing names is to be destroyed some time.
    async fn is_in_use(&self, _record: &PlacedRecord) -> Result<bool, Cause> {
        Ok(true)
    }

    /// Puts other ciphertext in a record's place, if that is still as it was. `false`: it is not.
    async fn replace(&self, record: &PlacedRecord, sealed: Vec<u8>) -> Result<bool, Cause>;
}

pub struct SealedCredentialStore {
    records: Arc<dyn SealedRecords>,
    keeper: Arc<dyn KeyKeeper>,
    key: RwLock<LocalKey>,
    fingerprints: KeyedHash,
}

impl SealedCredentialStore {
    /// `key` is what the keeper gave.
    pub fn new(records: Arc<dyn SealedRecords>, keeper: Arc<dyn KeyKeeper>, key: LocalKey) -> Self {
        let fingerprints = KeyedHash::new(&key, KeyPurpose::CredentialFingerprint);
        Self { records, keeper, key: RwLock::new(key), fingerprints }
    }

    fn key(&self) -> LocalKey {
        self.key.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn newest_key(&self) -> Result<LocalKey, CredentialStoreError> {
        let key = self.keeper.load().await.map_err(|error| unavailable(error.into()))?;
        *self.key.write().unwrap_or_else(PoisonError::into_inner) = key.clone();
        Ok(key)
    }
}

#[async_trait]
impl CredentialStore for SealedCredentialStore {
    fn fingerprint(&self, credential: &Credential) -> Fingerprint {
        Parts::of(credential).fingerprint(&self.fingerprints)
    }

    async fn put(
        &self,
        reseller: &ResellerId,
        credential: &Credential,
        change: &Change,
    ) -> Result<CredentialInfo, CredentialStoreError> {
        let key = self.newest_key().await?;
        let parts = Parts::of(credential);
        let version = CredentialVersion::of_store(change.id.simple().to_string());
        let sealed = plaintext::write(&parts)
            .and_then(|plaintext| envelope::seal(&key, Place { reseller, version: &version }, plaintext))
            .map_err(unavailable)?;
        self.records.put(reseller, &version, sealed, change.time).await.map_err(unavailable)?;
        Ok(CredentialInfo {
            kind: credential.kind(),
            fingerprint: parts.fingerprint(&self.fingerprints),
            version,
            create_time: change.time,
            expire_time: credential.expire_time(),
        })
    }

    async fn get(
        &self,
        reseller: &ResellerId,
        version: &CredentialVersion,
    ) -> Result<Credential, CredentialStoreError> {
        let named = || (reseller.clone(), version.clone());
        let sealed = self.records.get(reseller, version).await.map_err(unavailable)?.ok_or_else(|| {
            let (reseller, version) = named();
            CredentialStoreError::Missing { reseller, version }
        })?;
        let place = Place { reseller, version };
        let opened = match envelope::open(&self.key(), place, &sealed) {
            Err(Closed::UnknownKey) => envelope::open(&self.newest_key().await?, place, &sealed),
            opened => opened,
        };
        let parts = opened.ok().and_then(|plaintext| plaintext::read(&plaintext));
        parts.and_then(Parts::into_credential).ok_or_else(|| {
            let (reseller, version) = named();
            CredentialStoreError::Damaged { reseller, version }
        })
    }

    /// There is no other hand, but records may be lost.
    async fn by_another_hand(
        &self,
        reseller: &ResellerId,
        in_use: &CredentialInfo,
    ) -> Result<ByAnotherHand, CredentialStoreError> {
        match self.get(reseller, &in_use.version).await {
            Ok(_) => Ok(ByAnotherHand::default()),
            Err(error) if error.is_outage() => Err(error),
            Err(lost) => Ok(ByAnotherHand { lost: Some(lost), ..ByAnotherHand::default() }),
        }
    }

    async fn prune(
        &self,
        reseller: &ResellerId,
        keep: Option<&CredentialVersion>,
        put_before: Timestamp,
    ) -> Result<(), CredentialStoreError> {
        self.records.prune(reseller, keep, put_before).await.map_err(unavailable)
    }
}

impl fmt::Debug for SealedCredentialStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedCredentialStore").finish_non_exhaustive()
    }
}

fn unavailable(cause: Cause) -> CredentialStoreError {
    CredentialStoreError::Unavailable { cause }
}
