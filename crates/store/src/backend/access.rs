//! The trait [`AccessStore`].

use async_trait::async_trait;
use jiff::Timestamp;

use super::Backend;
use crate::reads::Reads;
use crate::verbs::{CreateKey, RevokeKey, TouchKey};
use crate::{AccessKey, AccessStore, KeyId, StoreError};

#[async_trait]
impl<B: Backend> AccessStore for B {
    async fn create_key(&self, key: AccessKey) -> Result<(), StoreError> {
        self.write(CreateKey { key }).await
    }

    async fn find_key(&self, id: &KeyId) -> Result<Option<AccessKey>, StoreError> {
        self.reads().access_key(id).await
    }

    async fn list_keys(&self) -> Result<Vec<AccessKey>, StoreError> {
        self.reads().access_keys().await
    }

    async fn revoke_key(&self, id: &KeyId, now: Timestamp) -> Result<bool, StoreError> {
        self.write(RevokeKey { id: id.clone(), now }).await
    }

    async fn touch_key(&self, id: &KeyId, now: Timestamp) -> Result<(), StoreError> {
        self.write(TouchKey { id: id.clone(), now }).await
    }

    async fn has_held_a_key(&self) -> Result<bool, StoreError> {
        self.reads().any_access_key().await
    }
}
