//! Where the sealed credential store keeps its ciphertext: the same database, so that replicas share it.

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_domain::ResellerId;

use crate::{StoreError, WrappedKey};

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
    /// Deletes the versions of a reseller that were put before a moment, but the one to keep.
    async fn prune_sealed(
        &self,
        reseller: &ResellerId,
        keep: Option<&str>,
        put_before: Timestamp,
    ) -> Result<(), StoreError>;
    /// All records after this place, in order of reseller and version.
    async fn list_sealed(
        &self,
        after: Option<(&ResellerId, &str)>,
        limit: u32,
    ) -> Result<Vec<(ResellerId, SealedRecord)>, StoreError>;
    /// Puts other ciphertext in a record's place, if it is still `until_now`. `false`: it is not.
    async fn replace_sealed(
        &self,
        reseller: &ResellerId,
        version: &str,
        until_now: &[u8],
        ciphertext: &[u8],
    ) -> Result<bool, StoreError>;
    /// Resellers' data keys after this one's, in their order.
    async fn data_keys(
        &self,
        after: Option<&ResellerId>,
        limit: u32,
    ) -> Result<Vec<(ResellerId, WrappedKey)>, StoreError>;
    /// Puts the same data key, wrapped anew, in its place, if it is still `until_now`. `false`: it is not.
    async fn replace_data_key(
        &self,
        reseller: &ResellerId,
        until_now: &WrappedKey,
        wrapped: &WrappedKey,
    ) -> Result<bool, StoreError>;
    /// The keys that seal, where they lie in the database themselves: wrapped by a key of somebody else's.
    async fn key_ring(&self) -> Result<Option<String>, StoreError>;
    /// Puts another ring in its place, if it is still `until_now`. `false`: it is not.
    async fn swap_key_ring(&self, until_now: Option<&str>, ring: &str) -> Result<bool, StoreError>;
}
