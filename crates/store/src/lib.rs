//! All that is in the database, behind one set of traits.
//!
//! | trait | holds |
//! | --- | --- |
//! | [`Outbox`] | messages: accept, read, steer, lease a lane, record attempts, purge |
//! | [`Events`] | what changed, for those who watch |
//! | [`SettingsStore`] | the four values of the panel, and whether they work |
//! | [`AccessStore`] | callers' keys |
//! | [`AuditStore`] | who changed what |
//! | [`SealedStore`] | ciphertext of the sealed credential store |
//! | [`CredentialChanges`] | changes of credentials that began, and what is to be destroyed after them |
//! | [`Census`] | how much there is of everything |
//!
//! | folder | does |
//! | --- | --- |
//! | `verbs` | what is done: plain functions on the rows of a transaction |
//! | `book` | those rows, loaded and changed in memory |
//! | `writer` | group commit: many writes, one book, one commit |
//! | `sql` | a book from the database and back; what is read; whether it is sound |
//! | `backend` | the traits, served once for every database |
//! | `sqlite`, `postgres` | connections, and what is particular to the database |
//!
//! Guarantees
//! - A write is answered after its commit. Writes of many callers share a transaction; a lone caller waits for nobody.
//! - An error before COMMIT is a plain no ([`StoreError::Unavailable`]). A COMMIT that failed is *unknown*
//!   ([`StoreError::CommitUnknown`]), and its connection is given up before anything else is acknowledged.
//! - No function takes a message without its reseller.
//! - A lane write or the start of an attempt under an old token changes nothing. An outcome is written once.
//!
//! Read first: `conformance/`, which every backend passes.

mod access;
mod audit;
mod backend;
mod book;
mod census;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod content;
mod credential_change;
mod error;
#[cfg(any(test, feature = "conformance"))]
pub mod memory;
mod outbox;
mod postgres;
mod reads;
mod schema;
mod sealed;
mod seen;
mod settings;
mod sql;
mod sqlite;
mod verbs;
mod watch;
mod writer;

use std::sync::Arc;

pub use access::{AccessKey, AccessStore, KeyHash, KeyId, Scope};
pub use audit::{AuditFilter, AuditPage, AuditPlace, AuditStore};
pub use book::Retention;
pub use census::{Backlog, Census, FirstExpiry, LaneState};
pub use content::{ContentPart, ContentPlace, ContentSealer, Unopened, WrappedKey};
pub use credential_change::{ChangeId, CredentialChanges};
pub use error::StoreError;
pub use outbox::{
    Accepted, AllAccepted, ContentHash, MessageFilter, MessagePage, NewMessage, Outbox, Queue, QueueBounds,
    Refused, Retry, Steered, TestMail,
};
pub use postgres::PostgresStore;
pub use sealed::{SealedRecord, SealedStore};
pub use settings::{Deleted, NewSettings, Put, SettingsFilter, SettingsPage, SettingsStore};
pub use sql::Checked;
pub use sqlite::SqliteStore;
pub use watch::{Change, Changed, Event, Events, Position};

/// Whether real mail is in it, or the sandbox's: a store of one kind never starts as the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    Real,
    Sandbox,
}

impl StoreKind {
    /// As it is written in the database.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Real => "real",
            Self::Sandbox => "sandbox",
        }
    }
}

/// From which schema to which a database was brought. 0: it was empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrated {
    pub from: i64,
    pub to: i64,
}

/// What the operator decides about a store.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub kind: StoreKind,
    pub retention: Retention,
    /// Below so many free bytes of its disk no new mail is accepted.
    pub free_bytes_min: u64,
    /// Of a mailbox: by it a message's place in the queue tells when it is likely to go. 0: no limit.
    pub messages_per_minute: u32,
}

impl Options {
    /// With what nobody asked for otherwise.
    pub fn of(kind: StoreKind) -> Self {
        Self { kind, retention: Retention::default(), free_bytes_min: 0, messages_per_minute: 0 }
    }
}

/// Changes that a slow listener may fall behind; then it is told to look at all.
const CHANGES_KEPT: usize = 4_096;

/// Whether the database takes writes, as far as the last one told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreHealth {
    Serving,
    Away,
}

/// Every trait at once: what the server is given.
#[async_trait::async_trait]
pub trait Store:
    Outbox + Events + SettingsStore + AccessStore + AuditStore + SealedStore + CredentialChanges + Census
{
    /// Turns with the outcome of every write and of every try to reopen.
    fn health(&self) -> tokio::sync::watch::Receiver<StoreHealth>;
    /// Lets the writes that wait be done; every later call is refused.
    async fn close(&self);
    /// The same store; what is changed through it is told as `act`, in the transaction of the change.
    fn by(self: Arc<Self>, act: postrider_domain::Act) -> DynStore;
    /// The same store; content and subjects lie sealed in it from now on.
    fn sealed_by(self: Arc<Self>, sealer: Arc<dyn ContentSealer>) -> DynStore;
}

pub type DynStore = Arc<dyn Store>;

/// The etag of the settings that have this number.
fn etag(revision: i64) -> postrider_domain::Etag {
    postrider_domain::Etag::of_store(revision.to_string())
}
