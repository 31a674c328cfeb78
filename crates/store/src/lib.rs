//! All that is in the database, behind one set of traits.
//!
//! | trait | holds |
//! | --- | --- |
//! | [`Outbox`] | messages: accept, read, lease a lane, record attempts |
//! | [`SettingsStore`] | the four values of the panel, and whether they work |
//! | [`AccessStore`] | callers' keys |
//! | [`SealedStore`] | ciphertext of the sealed credential store |
//! | [`CredentialChanges`] | changes of credentials that began, and what is to be destroyed after them |
//!
//! Guarantees
//! - A write is answered after its commit. Writes of many callers share a transaction; a lone caller waits for nobody.
//! - An error before COMMIT is a plain no ([`StoreError::Unavailable`]). A COMMIT that failed is *unknown*
//!   ([`StoreError::CommitUnknown`]): the store is closed, reopened and read before anything else is acknowledged.
//! - No function takes a message without its reseller.
//! - A lane write or the start of an attempt under an old token changes nothing. An outcome is written once.
//!
//! Read first: `conformance/`, which every backend passes.

mod access;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod credential_change;
mod error;
mod outbox;
mod sealed;
mod settings;
mod sqlite;

use std::sync::Arc;

pub use access::{AccessKey, AccessStore, KeyHash, KeyId, Scope};
pub use credential_change::{ChangeId, CredentialChanges};
pub use error::StoreError;
pub use outbox::{Accepted, ContentHash, MessageFilter, MessagePage, NewMessage, Outbox, TestMail};
pub use sealed::{SealedRecord, SealedStore};
pub use settings::{Deleted, NewSettings, Put, SettingsFilter, SettingsPage, SettingsStore};
pub use sqlite::SqliteStore;

/// Whether real mail is in it, or the sandbox's: a store of one kind never starts as the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    Real,
    Sandbox,
}

/// Whether the database takes writes, as far as the last one told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreHealth {
    Serving,
    Away,
}

/// Every trait at once: what the server is given.
pub trait Store: Outbox + SettingsStore + AccessStore + SealedStore + CredentialChanges {
    /// Turns with the outcome of every write and of every try to reopen.
    fn health(&self) -> tokio::sync::watch::Receiver<StoreHealth>;
}

pub type DynStore = Arc<dyn Store>;
