//! Credentials in Vault.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_domain::{
    Credential, CredentialInfo, CredentialKind, CredentialVersion, Fingerprint, ResellerId,
};
use serde::Deserialize;
use vaultrs::api::kv2::requests::{ReadSecretRequest, SetSecretMetadataRequest, SetSecretRequestOptions};
use vaultrs::api::kv2::responses::{
    ReadSecretMetadataResponse, ReadSecretResponse, SecretMetadata, SecretVersionMetadata,
};

use super::error::{Met, VaultError, VaultFault};
use super::{Vault, secret};
use crate::parts::Parts;
use crate::{
    ByAnotherHand, Change, CredentialStore, CredentialStoreError, Deletion, KeyPurpose, KeyedHash, LocalKey,
    Unusable,
};

/// Versions of a secret that Vault is told to keep: past them every write costs the oldest.
const KEPT: u64 = 100;
/// What it keeps untold.
const KEPT_BY_DEFAULT: u64 = 10;
/// Room made at once, where that is not enough.
const ROOM: u64 = 20;

pub struct VaultCredentialStore {
    vault: Vault,
    mount: String,
    prefix: String,
    fingerprints: KeyedHash,
}

/// A version's name, taken apart: Vault's number and the time at which Vault made it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    number: u64,
    created: String,
}

impl Named {
    fn parse(version: &CredentialVersion) -> Option<Self> {
        let (number, created) = version.as_str().split_once('-')?;
        Some(Self { number: number.parse().ok()?, created: created.to_owned() })
    }

    fn of(metadata: &SecretVersionMetadata) -> Self {
        Self { number: metadata.version, created: metadata.created_time.clone() }
    }

    /// The secret as it was when this version was made: deleted and made anew, its numbers have begun anew too.
    fn is_of(&self, metadata: &ReadSecretMetadataResponse) -> bool {
        let known = metadata.versions.get(&self.number.to_string());
        // One that Vault has forgotten was pushed out by newer ones.
        known.map_or(self.number <= metadata.current_version, |known| known.created_time == self.created)
    }

    fn version(&self) -> CredentialVersion {
        CredentialVersion::of_store(format!("{}-{}", self.number, self.created))
    }

    fn time(&self) -> Option<Timestamp> {
        // What is stored is in whole microseconds.
        let time: Timestamp = self.created.parse().ok()?;
        Timestamp::from_microsecond(time.as_microsecond()).ok()
    }
}

/// What another hand wrote.
enum Foreign {
    Credential(CredentialInfo),
    Unusable(CredentialVersion, Unusable),
}

/// What there is under a number.
enum Found {
    Secret(Box<ReadSecretResponse>),
    /// A deleted or destroyed version still says of itself what it was.
    Gone(SecretVersionMetadata),
    Nothing,
}

impl VaultCredentialStore {
    /// The key is for fingerprints: replicas have it in common.
    pub fn new(vault: Vault, mount: &str, prefix: &str, key: &LocalKey) -> Self {
        let fingerprints = KeyedHash::new(key, KeyPurpose::CredentialFingerprint);
        Self { vault, mount: mount.to_owned(), prefix: prefix.to_owned(), fingerprints }
    }

    /// Whether a version of this name lies in Vault.
    pub fn names(version: &CredentialVersion) -> bool {
        Named::parse(version).is_some()
    }

    fn path(&self, reseller: &ResellerId) -> String {
        format!("{}/{reseller}", self.prefix)
    }

    /// Of the secret, with all its versions.
    async fn metadata(
        &self,
        reseller: &ResellerId,
    ) -> Result<Option<ReadSecretMetadataResponse>, CredentialStoreError> {
        let doing = format!("read {}/metadata/{}", self.mount, self.path(reseller));
        let read = self.vault.session.call(&doing, |client| {
            let (mount, path) = (self.mount.clone(), self.path(reseller));
            async move { vaultrs::kv2::read_metadata(client.as_ref(), &mount, &path).await }
        });
        match read.await {
            Ok(metadata) => Ok(Some(metadata)),
            Err(Ok(Met::NotFound(_))) => Ok(None),
            Err(met) => Err(fault(met, &doing)),
        }
    }

    async fn read(&self, reseller: &ResellerId, number: u64) -> Result<Found, CredentialStoreError> {
        #[derive(Deserialize)]
        struct Body {
            data: Data,
        }
        #[derive(Deserialize)]
        struct Data {
            metadata: SecretVersionMetadata,
        }
        let doing = format!("read {}/data/{}", self.mount, self.path(reseller));
        let read = self.vault.session.call(&doing, |client| {
            let request = ReadSecretRequest {
                mount: self.mount.clone(),
                path: self.path(reseller),
                version: Some(number),
            };
            async move { vaultrs::api::exec_with_result(client.as_ref(), request).await }
        });
        match read.await {
            Ok(found) => Ok(Found::Secret(Box::new(found))),
            Err(Ok(Met::NotFound(content))) => {
                let body = content.and_then(|content| serde_json::from_str::<Body>(&content).ok());
                Ok(body.map_or(Found::Nothing, |body| Found::Gone(body.data.metadata)))
            }
            Err(met) => Err(fault(met, &doing)),
        }
    }

    /// What lies under a number, if another hand wrote it.
    async fn foreign(
        &self,
        reseller: &ResellerId,
        number: u64,
    ) -> Result<Option<Foreign>, CredentialStoreError> {
        let Found::Secret(found) = self.read(reseller, number).await? else { return Ok(None) };
        let named = Named::of(&found.metadata);
        let unusable = |why| Ok(Some(Foreign::Unusable(named.version(), why)));
        let Some(secret) = secret::read(found.data, &self.fingerprints) else {
            return unusable(Unusable::Malformed);
        };
        if secret.is_ours {
            return Ok(None);
        }
        let (kind, expire_time, fingerprint) =
            (secret.parts.kind, secret.parts.expire_time, secret.fingerprint);
        match (kind, secret.parts.into_credential(), named.time()) {
            (CredentialKind::Federated, ..) => unusable(Unusable::Federated),
            (_, Some(_), Some(create_time)) => {
                let version = named.version();
                Ok(Some(Foreign::Credential(CredentialInfo {
                    kind,
                    fingerprint,
                    version,
                    create_time,
                    expire_time,
                })))
            }
            _ => unusable(Unusable::Malformed),
        }
    }

    /// So that the next write does not cost the version in use.
    async fn make_room(
        &self,
        reseller: &ResellerId,
        metadata: Option<&ReadSecretMetadataResponse>,
        in_use: Option<&CredentialVersion>,
    ) -> Result<(), CredentialStoreError> {
        let (last, kept) = metadata.map_or((0, 0), |secret| (secret.current_version, secret.max_versions));
        let is_there = |named: &Named| {
            metadata.is_some_and(|secret| {
                secret.versions.contains_key(&named.number.to_string()) && named.is_of(secret)
            })
        };
        let in_use = in_use.and_then(Named::parse).filter(is_there);
        // From the one in use to the one to come.
        let needed = in_use.map_or(1, |named| (last + 2).saturating_sub(named.number));
        if kept >= needed.max(KEPT) {
            return Ok(());
        }
        let doing = format!("raise max_versions of {}/metadata/{}", self.mount, self.path(reseller));
        let raised = self.vault.session.call(&doing, |client| {
            let (mount, path) = (self.mount.clone(), self.path(reseller));
            let mut request = SetSecretMetadataRequest::builder();
            request.max_versions(KEPT.max(needed + ROOM));
            async move { vaultrs::kv2::set_metadata(client.as_ref(), &mount, &path, Some(&mut request)).await }
        });
        match raised.await {
            Ok(()) => Ok(()),
            // A policy of before: it serves while what Vault keeps by itself is enough.
            Err(Err(error)) if error.fault == VaultFault::Denied && needed <= kept.max(KEPT_BY_DEFAULT) => {
                tracing::warn!(
                    event = "vault_policy_outdated", %reseller, %error,
                    "Vault may forget the credential in use: its max_versions cannot be raised"
                );
                Ok(())
            }
            Err(met) => Err(fault(met, &doing)),
        }
    }

    /// What reading the version in use says, as far as it is gone.
    async fn lost(
        &self,
        reseller: &ResellerId,
        in_use: &CredentialVersion,
        metadata: Option<&ReadSecretMetadataResponse>,
    ) -> Result<Option<CredentialStoreError>, CredentialStoreError> {
        let known = Named::parse(in_use).zip(metadata).and_then(|(named, secret)| {
            let known = secret.versions.get(&named.number.to_string())?;
            (known.created_time == named.created).then_some(known)
        });
        // A time of deletion may be one to come.
        if known.is_some_and(|known| !known.destroyed && known.deletion_time.is_empty()) {
            return Ok(None);
        }
        match self.get(reseller, in_use).await {
            Ok(_) => Ok(None),
            Err(error) if error.is_outage() => Err(error),
            Err(error) => Ok(Some(error)),
        }
    }

    async fn destroy(&self, reseller: &ResellerId, versions: Vec<u64>) -> Result<(), CredentialStoreError> {
        if versions.is_empty() {
            return Ok(());
        }
        let doing = format!("destroy versions of {}/{}", self.mount, self.path(reseller));
        let destroyed = self.vault.session.call(&doing, |client| {
            let (mount, path, versions) = (self.mount.clone(), self.path(reseller), versions.clone());
            async move { vaultrs::kv2::destroy_versions(client.as_ref(), &mount, &path, versions).await }
        });
        match destroyed.await {
            Ok(()) | Err(Ok(Met::NotFound(_))) => Ok(()),
            Err(met) => Err(fault(met, &doing)),
        }
    }
}

#[async_trait]
impl CredentialStore for VaultCredentialStore {
    fn fingerprint(&self, credential: &Credential) -> Fingerprint {
        Parts::of(credential).fingerprint(&self.fingerprints)
    }

    async fn put(
        &self,
        reseller: &ResellerId,
        credential: &Credential,
        change: &Change,
    ) -> Result<CredentialInfo, CredentialStoreError> {
        let doing = format!("write {}/data/{}", self.mount, self.path(reseller));
        let metadata = self.metadata(reseller).await?;
        self.make_room(reseller, metadata.as_ref(), change.in_use.as_ref()).await?;
        let last = metadata.map_or(0, |metadata| metadata.current_version);
        let cas = u32::try_from(last).map_err(|_| {
            CredentialStoreError::Vault(VaultError::new(
                VaultFault::Unintelligible,
                &doing,
                "too many versions",
            ))
        })?;
        let parts = Parts::of(credential);
        let fingerprint = parts.fingerprint(&self.fingerprints);
        let data = secret::write(&parts, &fingerprint, change)
            .map_err(|error| CredentialStoreError::Unavailable { cause: error.into() })?;
        let written = self.vault.session.call(&doing, |client| {
            let (mount, path, data) = (self.mount.clone(), self.path(reseller), data.clone());
            let options = SetSecretRequestOptions { cas };
            async move { vaultrs::kv2::set_with_options(client.as_ref(), &mount, &path, &data, options).await }
        });
        let written = match written.await {
            Ok(written) => written,
            Err(Ok(Met::Bad(said))) if said.contains("check-and-set") => {
                return Err(CredentialStoreError::Conflict { reseller: reseller.clone() });
            }
            Err(met) => return Err(fault(met, &doing)),
        };
        Ok(CredentialInfo {
            kind: credential.kind(),
            fingerprint,
            version: Named::of(&written).version(),
            create_time: change.time,
            expire_time: credential.expire_time(),
        })
    }

    async fn get(
        &self,
        reseller: &ResellerId,
        version: &CredentialVersion,
    ) -> Result<Credential, CredentialStoreError> {
        let place = || (reseller.clone(), version.clone());
        let missing = || {
            let (reseller, version) = place();
            CredentialStoreError::Missing { reseller, version }
        };
        let named = Named::parse(version).ok_or_else(missing)?;
        match self.read(reseller, named.number).await? {
            Found::Secret(found) if Named::of(&found.metadata) == named => {
                let secret = secret::read(found.data, &self.fingerprints);
                secret.and_then(|secret| secret.parts.into_credential()).ok_or_else(|| {
                    let (reseller, version) = place();
                    CredentialStoreError::Damaged { reseller, version }
                })
            }
            Found::Gone(gone) if Named::of(&gone) == named => {
                let (reseller, version) = place();
                Err(if gone.destroyed {
                    CredentialStoreError::Destroyed { reseller, version }
                } else {
                    CredentialStoreError::Deleted { reseller, version }
                })
            }
            _ => Err(missing()),
        }
    }

    async fn prune(
        &self,
        reseller: &ResellerId,
        keep: Option<&CredentialVersion>,
        put_before: Timestamp,
    ) -> Result<(), CredentialStoreError> {
        let Some(metadata) = self.metadata(reseller).await? else { return Ok(()) };
        let keep = keep.and_then(Named::parse);
        // Past it lies what is not taken yet, besides orphans.
        let taken = keep.as_ref().map(|keep| if keep.is_of(&metadata) { keep.number } else { 0 });
        let mut old = Vec::new();
        for named in all(&metadata) {
            let number = named.number;
            if keep.as_ref() == Some(&named) || named.time().is_none_or(|time| time >= put_before) {
                continue;
            }
            let is_past = taken.is_some_and(|taken| number > taken);
            // Whose a deleted one is cannot be read.
            let is_deleted =
                metadata.versions.get(&number.to_string()).is_some_and(|of| !of.deletion_time.is_empty());
            let stays = is_past && (is_deleted || self.foreign(reseller, number).await?.is_some());
            if !stays {
                old.push(number);
            }
        }
        // Never the secret as a whole: another put may have come since it was looked at.
        self.destroy(reseller, old).await
    }

    /// The version in use and what came before it is told by its number, whatever the clocks say.
    async fn destroy_deleted(
        &self,
        reseller: &ResellerId,
        deletion: Deletion<'_>,
    ) -> Result<(), CredentialStoreError> {
        let Some(metadata) = self.metadata(reseller).await? else { return Ok(()) };
        let in_use = Named::parse(deletion.in_use).filter(|named| named.is_of(&metadata));
        let last = in_use.map_or(0, |named| named.number);
        let surely = deletion.time.saturating_sub(deletion.clocks_differ).unwrap_or(Timestamp::MIN);
        let mut left = all(&metadata);
        left.retain(|named| named.number <= last || named.time().is_some_and(|time| time < surely));
        self.destroy(reseller, left.iter().map(|named| named.number).collect()).await
    }

    async fn by_another_hand(
        &self,
        reseller: &ResellerId,
        in_use: &CredentialInfo,
    ) -> Result<ByAnotherHand, CredentialStoreError> {
        let mut found = ByAnotherHand::default();
        let Some(named) = Named::parse(&in_use.version) else { return Ok(found) };
        let metadata = self.metadata(reseller).await?;
        found.lost = self.lost(reseller, &in_use.version, metadata.as_ref()).await?;
        let Some(metadata) = metadata else { return Ok(found) };
        let after = if named.is_of(&metadata) { named.number } else { 0 };
        for number in (after + 1..=metadata.current_version).rev() {
            if metadata.versions.get(&number.to_string()).is_none_or(|of| of.destroyed) {
                continue;
            }
            match self.foreign(reseller, number).await? {
                Some(Foreign::Credential(info)) => {
                    found.put = Some(info);
                    break;
                }
                Some(Foreign::Unusable(version, why)) => {
                    found.unusable.get_or_insert((version, why));
                }
                None => {}
            }
        }
        Ok(found)
    }
}

/// The versions that are not destroyed.
fn all(metadata: &ReadSecretMetadataResponse) -> Vec<Named> {
    let there = metadata.versions.iter().filter(|(_, of)| !of.destroyed);
    let named = |(number, of): (&String, &SecretMetadata)| {
        Some(Named { number: number.parse().ok()?, created: of.created_time.clone() })
    };
    there.filter_map(named).collect()
}

fn fault(met: Result<Met, VaultError>, doing: &str) -> CredentialStoreError {
    CredentialStoreError::Vault(met.map_or_else(|error| error, |met| met.into_error(doing)))
}

impl fmt::Debug for VaultCredentialStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VaultCredentialStore").finish_non_exhaustive()
    }
}
