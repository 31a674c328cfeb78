//! The trait [`SealedStore`].

use async_trait::async_trait;
use postrider_domain::ResellerId;

use super::Backend;
use crate::reads::Reads;
use crate::verbs::{BindKey, PruneSealed, PutSealed};
use crate::{SealedRecord, SealedStore, StoreError};

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

    async fn prune_sealed(&self, reseller: &ResellerId, keep: Option<&str>) -> Result<(), StoreError> {
        self.write(PruneSealed { reseller: reseller.clone(), keep: keep.map(str::to_owned) }).await
    }
}
