//! What seals content and subjects: a port, for the store neither knows what they mean nor how they are sealed.
//!
//! Each reseller has a data key, which lies in its row, wrapped. Deleting its settings takes the key away in the same
//! transaction, and with it all that it sealed. A message is accepted only while the key that sealed it is still there.
//!
//! What was written before anything was sealed is read as it is: a sealed content begins with a byte that no serialized email
//! can begin with, a sealed subject with a character that no subject can have.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use postrider_domain::{MessageId, ResellerId};

/// A data key, as it lies in the database.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedKey(Arc<[u8]>);

impl WrappedKey {
    pub fn of_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WrappedKey(…)")
    }
}

/// The one place that something opens at.
#[derive(Debug, Clone, Copy)]
pub struct ContentPlace<'a> {
    pub reseller: &'a ResellerId,
    pub message: MessageId,
    pub part: ContentPart,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentPart {
    Body,
    Subject,
}

#[derive(Debug, thiserror::Error)]
pub enum Unopened {
    /// Another data key sealed it, for another place, or it was changed.
    #[error("it was not sealed by this data key, for this place")]
    Closed,
    #[error("the key that wraps data keys cannot be had: {0}")]
    Unavailable(String),
}

#[async_trait]
pub trait ContentSealer: Send + Sync {
    async fn fresh_key(&self, reseller: &ResellerId) -> Result<WrappedKey, Unopened>;
    async fn seal(&self, key: &WrappedKey, at: ContentPlace<'_>, plain: &[u8]) -> Result<Vec<u8>, Unopened>;
    async fn open(&self, key: &WrappedKey, at: ContentPlace<'_>, sealed: &[u8]) -> Result<Vec<u8>, Unopened>;
}
