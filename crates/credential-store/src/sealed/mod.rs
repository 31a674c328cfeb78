//! Credentials sealed here, their ciphertext kept elsewhere: the embedded default.
//!
//! The keeper of [`SealedRecords`] is not trusted: a record that was changed, or moved to another reseller or version,
//! does not open. What it can do is withhold a record, or bring back one that was pruned under the very same version.
//!
//! Read first: `a_moved_record_is_damaged` in `tests.rs`.

mod envelope;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use postrider_domain::{Credential, CredentialInfo, CredentialVersion, Fingerprint, ResellerId};
use secrecy::ExposeSecret;

use crate::{Cause, CredentialStore, CredentialStoreError, KeyPurpose, KeyedHash, LocalKey, stored};
use envelope::{Envelope, Place};

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

    /// Deletes all of a reseller's records but the one to keep.
    async fn prune(&self, reseller: &ResellerId, keep: Option<&CredentialVersion>) -> Result<(), Cause>;
}

pub struct SealedCredentialStore {
    records: Arc<dyn SealedRecords>,
    envelope: Envelope,
    fingerprints: KeyedHash,
}

impl SealedCredentialStore {
    pub fn new(records: Arc<dyn SealedRecords>, key: &LocalKey) -> Self {
        let fingerprints = KeyedHash::new(key, KeyPurpose::CredentialFingerprint);
        Self { records, envelope: Envelope::new(key), fingerprints }
    }

    fn fingerprint(&self, credential: &Credential) -> Fingerprint {
        let kind = credential.kind().as_str().as_bytes();
        let hash = match credential {
            Credential::ClientSecret { value, .. } => {
                self.fingerprints.hash(&[kind, value.expose_secret().as_bytes()])
            }
            Credential::Certificate(certificate) => {
                let send_chain = [u8::from(certificate.send_chain)];
                let chain = certificate.chain.iter().map(Vec::as_slice);
                self.fingerprints.hash(&[kind, &send_chain].into_iter().chain(chain).collect::<Vec<_>>())
            }
            // The same for every reseller: whoever names the same source is the same identity.
            Credential::Federated { source } => self.fingerprints.hash(&[kind, source.as_str().as_bytes()]),
        };
        Fingerprint::of_store(HEXLOWER.encode(&hash[..8]))
    }
}

#[async_trait]
impl CredentialStore for SealedCredentialStore {
    async fn put(
        &self,
        reseller: &ResellerId,
        credential: &Credential,
        now: Timestamp,
    ) -> Result<CredentialInfo, CredentialStoreError> {
        let version = CredentialVersion::of_store(uuid::Uuid::new_v4().simple().to_string());
        let sealed = stored::write(credential)
            .and_then(|plaintext| self.envelope.seal(Place { reseller, version: &version }, plaintext))
            .map_err(unavailable)?;
        self.records.put(reseller, &version, sealed, now).await.map_err(unavailable)?;
        Ok(CredentialInfo {
            kind: credential.kind(),
            fingerprint: self.fingerprint(credential),
            version,
            create_time: now,
            expire_time: credential.expire_time(),
        })
    }

    async fn get(
        &self,
        reseller: &ResellerId,
        version: &CredentialVersion,
    ) -> Result<Credential, CredentialStoreError> {
        let sealed = self.records.get(reseller, version).await.map_err(unavailable)?.ok_or_else(|| {
            CredentialStoreError::Missing { reseller: reseller.clone(), version: version.clone() }
        })?;
        self.envelope
            .open(Place { reseller, version }, sealed)
            .and_then(|plaintext| stored::read(&plaintext))
            .ok_or_else(|| CredentialStoreError::Damaged {
                reseller: reseller.clone(),
                version: version.clone(),
            })
    }

    async fn prune(
        &self,
        reseller: &ResellerId,
        keep: Option<&CredentialVersion>,
    ) -> Result<(), CredentialStoreError> {
        self.records.prune(reseller, keep).await.map_err(unavailable)
    }

    /// Nothing to be asked beside the database, whose health is its own to tell.
    async fn health(&self) -> Result<(), CredentialStoreError> {
        Ok(())
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
