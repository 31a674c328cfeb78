//! [`Census`], for every backend.

use async_trait::async_trait;

use super::Backend;
use crate::reads::Reads as _;
use crate::{Backlog, Census, FirstExpiry, LaneState, StoreError};

#[async_trait]
impl<B: Backend> Census for B {
    async fn backlog(&self, by_reseller: bool) -> Result<Vec<Backlog>, StoreError> {
        self.reads().backlog(by_reseller, self.now()).await
    }

    async fn lanes(&self) -> Result<Vec<(LaneState, i64)>, StoreError> {
        self.reads().lanes(self.now()).await
    }

    async fn first_expiries(&self, by_reseller: bool) -> Result<Vec<FirstExpiry>, StoreError> {
        self.reads().first_expiries(by_reseller).await
    }
}
