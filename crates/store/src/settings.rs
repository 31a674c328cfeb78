//! Settings as they are kept, and whether they work.

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_domain::{
    CredentialInfo, Etag, Finding, Fingerprint, ResellerId, Settings, SettingsState, SettingsValues, Usage,
};

use crate::{ChangeId, StoreError};

/// What is put. It replaces all that was there.
#[derive(Debug, Clone)]
pub struct NewSettings {
    pub reseller: ResellerId,
    pub values: SettingsValues,
    pub credential: CredentialInfo,
    /// The change that put this credential; absent: it stays. Settings whose change was ended are an etag mismatch.
    pub change: Option<ChangeId>,
    /// Known from the values alone, such as a secret's ID in place of its Value; shown until a test or a mail tells more.
    pub finding: Option<Finding>,
    /// The etag the caller read; absent: no check. `Some` where nothing is saved is a mismatch.
    pub expected: Option<Etag>,
    pub now: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    Saved(Box<Settings>),
    EtagMismatch,
    /// A federated credential: another reseller has its source with this directory and client.
    SourceTaken,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deleted {
    Done,
    Missing,
    EtagMismatch,
    /// So many messages are unfinished, and the caller did not ask to cancel them.
    Unfinished(u32),
    /// So many attempts are in flight: such a message cannot be cancelled honestly.
    InFlight(u32),
}

#[derive(Debug, Clone, Default)]
pub struct SettingsFilter {
    pub state: Option<SettingsState>,
    /// Only those whose credential expires before this moment.
    pub expiring_before: Option<Timestamp>,
    /// Only these; `None`: all.
    pub resellers: Option<Vec<ResellerId>>,
    /// Resellers after this one, in order of their slug.
    pub after: Option<ResellerId>,
    pub limit: u32,
}

#[derive(Debug, Clone)]
pub struct SettingsPage {
    pub settings: Vec<Settings>,
    /// Whether there is more after the last.
    pub more: bool,
}

#[async_trait]
pub trait SettingsStore: Send + Sync {
    /// Saves, lifts a hold that broken settings caused, and makes the lane due, in one transaction. The lane takes the new mailbox.
    ///
    /// A federated source is one identity: with one directory and client it belongs to one reseller. Two of the same
    /// source have the same fingerprint.
    async fn put_settings(&self, new: NewSettings) -> Result<Put, StoreError>;
    /// A look-up by key: on the way of every message.
    /// Whether another reseller has the federated source of this fingerprint, with this client and directory: for whoever is
    /// to put it, before anything is written. The put looks again.
    async fn is_source_taken(
        &self,
        reseller: &ResellerId,
        values: &SettingsValues,
        source: &Fingerprint,
    ) -> Result<bool, StoreError>;
    async fn get_settings(&self, reseller: &ResellerId) -> Result<Option<Settings>, StoreError>;
    /// Counted when asked for; not for the hot path.
    async fn usage(&self, reseller: &ResellerId, now: Timestamp) -> Result<Usage, StoreError>;
    async fn list_settings(&self, filter: SettingsFilter) -> Result<SettingsPage, StoreError>;
    /// Deletes settings and lane; unfinished messages become CANCELLED, those in doubt OUTCOME_UNKNOWN, and all content of
    /// the reseller is purged.
    async fn delete_settings(
        &self,
        reseller: &ResellerId,
        expected: Option<&Etag>,
        cancel_unfinished: bool,
        now: Timestamp,
    ) -> Result<Deleted, StoreError>;
    /// A test of the saved settings passed: they are READY, the hold is lifted and the lane is due, unless they
    /// changed since (`etag`).
    async fn settings_work(&self, reseller: &ResellerId, etag: &Etag) -> Result<(), StoreError>;
}
