//! Credentials in Vault.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_domain::{Credential, CredentialInfo, CredentialVersion, ResellerId};
use serde::Deserialize;
use vaultrs::api::kv2::requests::{ReadSecretRequest, SetSecretRequestOptions};
use vaultrs::api::kv2::responses::{ReadSecretMetadataResponse, ReadSecretResponse, SecretVersionMetadata};

use super::error::{Met, VaultError, VaultFault};
use super::{Vault, secret};
use crate::parts::Parts;
use crate::{Change, CredentialStore, CredentialStoreError, KeyPurpose, KeyedHash, LocalKey};

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

    fn version(&self) -> CredentialVersion {
        CredentialVersion::of_store(format!("{}-{}", self.number, self.created))
    }

    fn time(&self) -> Option<Timestamp> {
        // What is stored is in whole microseconds.
        let time: Timestamp = self.created.parse().ok()?;
        Timestamp::from_microsecond(time.as_microsecond()).ok()
    }
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

    /// A version that another hand wrote, after ours.
    async fn foreign(
        &self,
        reseller: &ResellerId,
        number: u64,
    ) -> Result<Option<CredentialInfo>, CredentialStoreError> {
        let Found::Secret(found) = self.read(reseller, number).await? else { return Ok(None) };
        let named = Named::of(&found.metadata);
        let damaged =
            || CredentialStoreError::Damaged { reseller: reseller.clone(), version: named.version() };
        let secret = secret::read(found.data, &self.fingerprints).ok_or_else(damaged)?;
        if secret.is_ours {
            return Ok(None);
        }
        let (kind, expire_time, fingerprint) =
            (secret.parts.kind, secret.parts.expire_time, secret.fingerprint);
        secret.parts.into_credential().ok_or_else(damaged)?;
        let (version, create_time) = (named.version(), named.time().ok_or_else(damaged)?);
        Ok(Some(CredentialInfo { kind, fingerprint, version, create_time, expire_time }))
    }

    async fn destroy(&self, reseller: &ResellerId, versions: Vec<u64>) -> Result<(), CredentialStoreError> {
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

    async fn delete_all(&self, reseller: &ResellerId) -> Result<(), CredentialStoreError> {
        let doing = format!("delete {}/metadata/{}", self.mount, self.path(reseller));
        let deleted = self.vault.session.call(&doing, |client| {
            let (mount, path) = (self.mount.clone(), self.path(reseller));
            async move { vaultrs::kv2::delete_metadata(client.as_ref(), &mount, &path).await }
        });
        match deleted.await {
            Ok(()) | Err(Ok(Met::NotFound(_))) => Ok(()),
            Err(met) => Err(fault(met, &doing)),
        }
    }
}

#[async_trait]
impl CredentialStore for VaultCredentialStore {
    async fn put(
        &self,
        reseller: &ResellerId,
        credential: &Credential,
        change: &Change,
    ) -> Result<CredentialInfo, CredentialStoreError> {
        let doing = format!("write {}/data/{}", self.mount, self.path(reseller));
        let last = self.metadata(reseller).await?.map_or(0, |metadata| metadata.current_version);
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
        let (mut old, mut others) = (Vec::new(), 0);
        for (number, of) in &metadata.versions {
            let Ok(number) = number.parse() else { continue };
            let named = Named { number, created: of.created_time.clone() };
            let is_old = named.time().is_some_and(|time| time < put_before) && keep.as_ref() != Some(&named);
            match (is_old, of.destroyed) {
                (true, false) => old.push(number),
                (true, true) => {}
                (false, _) => others += 1,
            }
        }
        if others == 0 {
            return self.delete_all(reseller).await;
        }
        if old.is_empty() { Ok(()) } else { self.destroy(reseller, old).await }
    }

    async fn put_by_another_hand(
        &self,
        reseller: &ResellerId,
        in_use: &CredentialInfo,
    ) -> Result<Option<CredentialInfo>, CredentialStoreError> {
        let Some(named) = Named::parse(&in_use.version) else { return Ok(None) };
        let Some(metadata) = self.metadata(reseller).await? else { return Ok(None) };
        let known = metadata.versions.get(&named.number.to_string());
        // Deleted and made anew, its numbers have begun anew too.
        let after =
            if known.is_none_or(|known| known.created_time == named.created) { named.number } else { 0 };
        for number in (after + 1..=metadata.current_version).rev() {
            if metadata.versions.contains_key(&number.to_string())
                && let Some(foreign) = self.foreign(reseller, number).await?
            {
                return Ok(Some(foreign));
            }
        }
        Ok(None)
    }
}

fn fault(met: Result<Met, VaultError>, doing: &str) -> CredentialStoreError {
    CredentialStoreError::Vault(met.map_or_else(|error| error, |met| met.into_error(doing)))
}

impl fmt::Debug for VaultCredentialStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VaultCredentialStore").finish_non_exhaustive()
    }
}
