//! Where the sealed credential store keeps its ciphertext: the same database, so that replicas share it.

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_domain::ResellerId;

use crate::StoreError;

/// One sealed credential. Opaque here: sealed before it comes and opened after it leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedRecord {
    pub version: String,
    pub ciphertext: Vec<u8>,
    pub create_time: Timestamp,
}

#[async_trait]
pub trait SealedStore: Send + Sync {
    /// Remembers, the first time, which local key belongs to this database, by the key's id. `false`: another one does.
    async fn bind_key(&self, key_id: &str) -> Result<bool, StoreError>;
    async fn put_sealed(&self, reseller: &ResellerId, record: SealedRecord) -> Result<(), StoreError>;
    async fn get_sealed(
        &self,
        reseller: &ResellerId,
        version: &str,
    ) -> Result<Option<SealedRecord>, StoreError>;
    /// Deletes all versions of a reseller but the one to keep.
    async fn prune_sealed(&self, reseller: &ResellerId, keep: Option<&str>) -> Result<(), StoreError>;
}
