//! Changes of credentials that began, so that what a process left behind when it died is found and destroyed.
//!
//! A change is written down before the credential is put. The settings are committed only while it is there: a deletion
//! in between ends it. It stays until somebody has destroyed what the settings do not name.

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_domain::{CredentialInfo, CredentialVersion, ResellerId};
use uuid::Uuid;

use crate::StoreError;

/// The id of one put of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChangeId(pub Uuid);

#[async_trait]
pub trait CredentialChanges: Send + Sync {
    async fn begin_change(
        &self,
        reseller: &ResellerId,
        change: ChangeId,
        now: Timestamp,
    ) -> Result<(), StoreError>;
    /// Resellers of whom all that is still to be destroyed began before this, with when the first of it began. Who
    /// changes their credential again and again is among them once the first is a day older.
    async fn due_changes(
        &self,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<(ResellerId, Timestamp)>, StoreError>;
    /// What began before this can no longer be committed: whoever destroys it looks at the settings after this. The
    /// versions that were replaced before it.
    async fn close_changes(
        &self,
        reseller: &ResellerId,
        before: Timestamp,
    ) -> Result<Vec<CredentialVersion>, StoreError>;
    /// What was closed and began before this is destroyed, but what is out of reach: it is as if it were replaced now.
    async fn end_changes(
        &self,
        reseller: &ResellerId,
        before: Timestamp,
        out_of_reach: Vec<CredentialVersion>,
        now: Timestamp,
    ) -> Result<(), StoreError>;
    /// The settings name another version of their credential, unless they were changed since they named `until_now`:
    /// `false`. One that was seen to work lifts a hold that broken settings caused, and the lane is due.
    async fn adopt_credential(
        &self,
        reseller: &ResellerId,
        until_now: &CredentialVersion,
        credential: &CredentialInfo,
        works: bool,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
}
