//! The sealed store and Vault as one.
//!
//! New credentials go where the configuration says. A version's name tells where it lies, so that what is in the other
//! store is read from there: half-way through a migration, and after the configuration was changed.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_credential_store::{
    ByAnotherHand, Change, CredentialStore, CredentialStoreError, Deletion, SealedCredentialStore,
    VaultCredentialStore,
};
use postrider_domain::{Credential, CredentialInfo, CredentialVersion, Fingerprint, ResellerId};

use crate::config::CredentialStoreKind;

pub(crate) struct CredentialStores {
    pub puts_to: CredentialStoreKind,
    pub sealed: SealedCredentialStore,
    /// Where one is configured.
    pub vault: Option<Arc<VaultCredentialStore>>,
}

impl CredentialStores {
    /// Where such a version lies; nothing, where it lies in a Vault that is not configured.
    fn of(&self, version: &CredentialVersion) -> Option<&dyn CredentialStore> {
        match CredentialStoreKind::of(version) {
            CredentialStoreKind::Sealed => Some(&self.sealed),
            CredentialStoreKind::Vault => self.vault.as_deref().map(|vault| vault as &dyn CredentialStore),
        }
    }

    /// The store of a kind.
    pub(crate) fn kind(
        &self,
        kind: CredentialStoreKind,
    ) -> Result<&dyn CredentialStore, CredentialStoreError> {
        match (kind, &self.vault) {
            (CredentialStoreKind::Sealed, _) => Ok(&self.sealed),
            (CredentialStoreKind::Vault, Some(vault)) => Ok(vault.as_ref()),
            (CredentialStoreKind::Vault, None) => Err(no_vault()),
        }
    }
}

impl CredentialStoreKind {
    pub(crate) fn of(version: &CredentialVersion) -> Self {
        if VaultCredentialStore::names(version) { Self::Vault } else { Self::Sealed }
    }
}

#[async_trait]
impl CredentialStore for CredentialStores {
    fn reaches(&self, version: &CredentialVersion) -> bool {
        self.of(version).is_some()
    }

    fn fingerprint(&self, credential: &Credential) -> Fingerprint {
        self.sealed.fingerprint(credential)
    }

    async fn put(
        &self,
        reseller: &ResellerId,
        credential: &Credential,
        change: &Change,
    ) -> Result<CredentialInfo, CredentialStoreError> {
        self.kind(self.puts_to)?.put(reseller, credential, change).await
    }

    async fn get(
        &self,
        reseller: &ResellerId,
        version: &CredentialVersion,
    ) -> Result<Credential, CredentialStoreError> {
        self.of(version).ok_or_else(no_vault)?.get(reseller, version).await
    }

    /// In both, for what was replaced may lie in the other one.
    async fn prune(
        &self,
        reseller: &ResellerId,
        keep: Option<&CredentialVersion>,
        put_before: Timestamp,
    ) -> Result<(), CredentialStoreError> {
        self.sealed.prune(reseller, keep, put_before).await?;
        match &self.vault {
            Some(vault) => vault.prune(reseller, keep, put_before).await,
            None => Ok(()),
        }
    }

    async fn destroy_deleted(
        &self,
        reseller: &ResellerId,
        deletion: Deletion<'_>,
    ) -> Result<(), CredentialStoreError> {
        self.sealed.destroy_deleted(reseller, deletion).await?;
        match &self.vault {
            Some(vault) => vault.destroy_deleted(reseller, deletion).await,
            None if self.reaches(deletion.in_use) => Ok(()),
            None => Err(no_vault()),
        }
    }

    async fn by_another_hand(
        &self,
        reseller: &ResellerId,
        in_use: &CredentialInfo,
    ) -> Result<ByAnotherHand, CredentialStoreError> {
        self.of(&in_use.version).ok_or_else(no_vault)?.by_another_hand(reseller, in_use).await
    }
}

fn no_vault() -> CredentialStoreError {
    CredentialStoreError::Unavailable {
        cause: "the credential lies in Vault, and vault.address is not set".into(),
    }
}
