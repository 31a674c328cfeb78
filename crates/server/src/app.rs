//! What the handlers work with: everything that was built from the configuration, and nothing global.

use std::sync::Arc;

use postrider_credential_store::{CredentialStore, KeyedHash};
use postrider_dispatch::Wakeup;
use postrider_domain::{Clock, PaceLimits};
use postrider_microsoft::Microsoft;
use postrider_store::DynStore;
use postrider_token_cache::TokenCache;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::Access;
use crate::config::Limits;
use crate::credentials::Rotation;
use crate::door::RequestBudget;
use crate::metrics::Metrics;
use crate::proofs::Proofs;
use crate::queue::WholeQueue;
use crate::wait::Waits;

pub(crate) struct App {
    pub store: DynStore,
    pub credentials: Arc<dyn CredentialStore>,
    pub tokens: TokenCache,
    /// What another hand put into Vault.
    pub rotation: Rotation,
    pub metrics: Arc<Metrics>,
    pub microsoft: Microsoft,
    pub proofs: Proofs,
    pub access: Arc<Access>,
    /// Under which two requests are the same content; keyed, since it outlives the content.
    pub content_hash: KeyedHash,
    pub wakeup: Wakeup,
    pub waits: Waits,
    pub clock: Arc<dyn Clock>,
    /// The operator's limits of a mailbox.
    pub pace: PaceLimits,
    pub call_timeout: std::time::Duration,
    pub limits: Limits,
    /// Of credentials, and by how much a store's clock may differ from ours.
    pub keep_replaced: std::time::Duration,
    /// Memory for requests on their way in.
    pub budget: RequestBudget,
    /// Of all resellers together.
    pub queue: WholeQueue,
    /// For items of batches on their way to the store, in the order in which they were asked for: the others' mail has
    /// places there that no batch takes.
    pub batch_places: Semaphore,
    /// How often those who wait for a change look by themselves: other replicas' hints may be lost.
    pub look_every: std::time::Duration,
    pub shutdown: CancellationToken,
    /// Handlers at work, also those whose caller went away: closed and awaited before the store is.
    pub tasks: TaskTracker,
}
