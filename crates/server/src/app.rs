//! What the handlers work with: everything that was built from the configuration, and nothing global.

use std::sync::Arc;

use postrider_credential_store::{CredentialStore, KeyedHash};
use postrider_dispatch::Wakeup;
use postrider_domain::{Clock, PaceLimits};
use postrider_microsoft::Microsoft;
use postrider_store::DynStore;
use postrider_token_cache::TokenCache;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::Access;
use crate::proofs::Proofs;
use crate::wait::Waits;

pub(crate) struct App {
    pub store: DynStore,
    pub credentials: Arc<dyn CredentialStore>,
    pub tokens: TokenCache,
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
    /// Bytes of a serialized `Email`.
    pub message_bytes_max: usize,
    /// One put of settings at a time: the second must not prune the credential that the first just put.
    pub puts: tokio::sync::Mutex<()>,
    pub shutdown: CancellationToken,
    /// Handlers at work, also those whose caller went away: closed and awaited before the store is.
    pub tasks: TaskTracker,
}
