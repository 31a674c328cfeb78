//! Callers' keys: never the secret, only its keyed hash.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_domain::ResellerId;

use crate::StoreError;

/// The public part of a key, which names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(String);

impl KeyId {
    pub fn of_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// HMAC-SHA-256 of the key's secret under the pepper, which is not in the database.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyHash(pub [u8; 32]);

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(…)")
    }
}

/// What a key allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    Send,
    Read,
    Settings,
    Test,
    Admin,
}

impl Scope {
    pub const ALL: [Self; 5] = [Self::Send, Self::Read, Self::Settings, Self::Test, Self::Admin];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Read => "read",
            Self::Settings => "settings",
            Self::Test => "test",
            Self::Admin => "admin",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKey {
    pub id: KeyId,
    pub name: String,
    pub hash: KeyHash,
    pub scopes: Vec<Scope>,
    /// Empty: all resellers.
    pub resellers: Vec<ResellerId>,
    pub create_time: Timestamp,
    pub expire_time: Option<Timestamp>,
    /// To the minute.
    pub last_use_time: Option<Timestamp>,
    pub revoke_time: Option<Timestamp>,
}

#[async_trait]
pub trait AccessStore: Send + Sync {
    async fn create_key(&self, key: AccessKey) -> Result<(), StoreError>;
    async fn find_key(&self, id: &KeyId) -> Result<Option<AccessKey>, StoreError>;
    /// All keys, oldest first.
    async fn list_keys(&self) -> Result<Vec<AccessKey>, StoreError>;
    /// Whether a key of this id is there; revoking a revoked key changes nothing.
    async fn revoke_key(&self, id: &KeyId, now: Timestamp) -> Result<bool, StoreError>;
    async fn touch_key(&self, id: &KeyId, now: Timestamp) -> Result<(), StoreError>;
    /// Whether the store has ever held a key; revoked ones count.
    async fn has_held_a_key(&self) -> Result<bool, StoreError>;
}
