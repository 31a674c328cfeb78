//! Memory for requests on their way in: bounded over all callers, and taken before a request is received.
//!
//! Large requests never stand in the way of small ones: each kind has a budget of its own.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Up to this a request is a small one.
const SMALL_BYTES: usize = 256 * 1024;
/// Permits are whole kibibytes.
const PERMIT_BYTES: usize = 1024;
/// How long a request waits for room.
const WAIT: Duration = Duration::from_secs(5);

#[derive(Debug, Clone)]
pub(crate) struct RequestBudget {
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

/// The room of one request, which it gives back when all who hold it are done.
pub(crate) type Room = Arc<OwnedSemaphorePermit>;

/// There was none in time.
#[derive(Debug)]
pub(crate) struct NoRoom;

impl RequestBudget {
    /// A quarter of it is for small requests alone.
    pub(crate) fn of(bytes: usize) -> Self {
        let budget = |bytes: usize| Arc::new(Semaphore::new(bytes / PERMIT_BYTES));
        Self { small: budget(bytes / 4), large: budget(bytes - bytes / 4) }
    }

    pub(crate) async fn take(&self, bytes: usize) -> Result<Room, NoRoom> {
        let budget = if bytes <= SMALL_BYTES { &self.small } else { &self.large };
        let permits = u32::try_from(bytes.div_ceil(PERMIT_BYTES)).unwrap_or(u32::MAX);
        let taken = tokio::time::timeout(WAIT, Arc::clone(budget).acquire_many_owned(permits));
        taken.await.ok().and_then(Result::ok).map(Arc::new).ok_or(NoRoom)
    }
}
