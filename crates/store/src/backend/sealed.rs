//! The traits [`SealedStore`] and [`CredentialChanges`].

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_domain::{CredentialInfo, CredentialVersion, ResellerId};

use super::Backend;
use crate::reads::Reads;
use crate::verbs::{
    AdoptCredential, BeginChange, BindKey, CloseChanges, EndChanges, PruneSealed, PutSealed, ReplaceDataKey,
    ReplaceSealed, SwapKeyRing,
};
use crate::{ChangeId, CredentialChanges, SealedRecord, SealedStore, StoreError, WrappedKey};

#[async_trait]
impl<B: Backend> SealedStore for B {
    async fn bind_key(&self, key_id: &str) -> Result<bool, StoreError> {
        self.write(BindKey { key_id: key_id.to_owned() }).await
    }

    async fn put_sealed(&self, reseller: &ResellerId, record: SealedRecord) -> Result<(), StoreError> {
        self.write(PutSealed { reseller: reseller.clone(), record }).await
    }

    async fn get_sealed(
        &self,
        reseller: &ResellerId,
        version: &str,
    ) -> Result<Option<SealedRecord>, StoreError> {
        self.reads().sealed(reseller, version).await
    }

    async fn prune_sealed(
        &self,
        reseller: &ResellerId,
        keep: Option<&str>,
        put_before: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(PruneSealed { reseller: reseller.clone(), keep: keep.map(str::to_owned), put_before })
            .await
    }

    async fn list_sealed(
        &self,
        after: Option<(&ResellerId, &str)>,
        limit: u32,
    ) -> Result<Vec<(ResellerId, SealedRecord)>, StoreError> {
        let after = after.map_or(("", ""), |(reseller, version)| (reseller.as_str(), version));
        self.reads().sealed_page(after, limit).await
    }

    async fn replace_sealed(
        &self,
        reseller: &ResellerId,
        version: &str,
        until_now: &[u8],
        ciphertext: &[u8],
    ) -> Result<bool, StoreError> {
        let key = (reseller.clone(), version.to_owned());
        let (until_now, ciphertext) = (until_now.to_owned(), ciphertext.to_owned());
        self.write(ReplaceSealed { key, until_now, ciphertext }).await
    }

    async fn data_keys(
        &self,
        after: Option<&ResellerId>,
        limit: u32,
    ) -> Result<Vec<(ResellerId, WrappedKey)>, StoreError> {
        self.reads().data_keys(after.map_or("", ResellerId::as_str), limit).await
    }

    async fn replace_data_key(
        &self,
        reseller: &ResellerId,
        until_now: &WrappedKey,
        wrapped: &WrappedKey,
    ) -> Result<bool, StoreError> {
        let (reseller, until_now, wrapped) = (reseller.clone(), until_now.clone(), wrapped.clone());
        self.write(ReplaceDataKey { reseller, until_now, wrapped }).await
    }

    async fn key_ring(&self) -> Result<Option<String>, StoreError> {
        self.reads().key_ring().await
    }

    async fn swap_key_ring(&self, until_now: Option<&str>, ring: &str) -> Result<bool, StoreError> {
        self.write(SwapKeyRing { until_now: until_now.map(str::to_owned), ring: ring.to_owned() }).await
    }
}

#[async_trait]
impl<B: Backend> CredentialChanges for B {
    async fn begin_change(
        &self,
        reseller: &ResellerId,
        change: ChangeId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(BeginChange { reseller: reseller.clone(), change, now }).await
    }

    async fn due_changes(
        &self,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<(ResellerId, Timestamp)>, StoreError> {
        self.reads().due_changes(before, limit).await
    }

    async fn close_changes(
        &self,
        reseller: &ResellerId,
        before: Timestamp,
    ) -> Result<Vec<CredentialVersion>, StoreError> {
        self.write(CloseChanges { reseller: reseller.clone(), before }).await
    }

    async fn end_changes(
        &self,
        reseller: &ResellerId,
        before: Timestamp,
        out_of_reach: Vec<CredentialVersion>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(EndChanges { reseller: reseller.clone(), before, out_of_reach, now }).await
    }

    async fn adopt_credential(
        &self,
        reseller: &ResellerId,
        until_now: &CredentialVersion,
        credential: &CredentialInfo,
        works: bool,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (reseller, until_now, credential) = (reseller.clone(), until_now.clone(), credential.clone());
        self.write(AdoptCredential { reseller, until_now, credential, works, now }).await
    }
}
