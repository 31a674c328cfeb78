//! Memory for requests on their way in: bounded over all callers and for each, and taken before a request is received.
//!
//! Rules
//! - Large requests never stand in the way of small ones: each kind has a budget of its own.
//! - One caller has at most half of each, so that whoever announces much and sends nothing harms nobody else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// Up to this a request is a small one.
const SMALL_BYTES: usize = 256 * 1024;
/// Permits are whole kibibytes.
const PERMIT_BYTES: usize = 1024;
/// How long a request waits for room.
const WAIT: Duration = Duration::from_secs(5);

#[derive(Debug, Clone)]
pub(crate) struct RequestBudget {
    small: Arc<Budget>,
    large: Arc<Budget>,
}

/// That of one kind.
#[derive(Debug)]
struct Budget {
    all: Arc<Semaphore>,
    permits_of_one: u32,
    /// Of callers who have requests under way.
    of_one: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// The room of one request, which it gives back when all who hold it are done.
pub(crate) type Room = Arc<[OwnedSemaphorePermit; 2]>;

/// There was none in time.
#[derive(Debug)]
pub(crate) struct NoRoom;

impl RequestBudget {
    /// A quarter of it is for small requests alone.
    pub(crate) fn of(bytes: usize) -> Self {
        Self { small: Arc::new(Budget::of(bytes / 4)), large: Arc::new(Budget::of(bytes - bytes / 4)) }
    }

    /// For a request of this caller.
    pub(crate) async fn take(&self, caller: &str, bytes: usize) -> Result<Room, NoRoom> {
        let budget = if bytes <= SMALL_BYTES { &self.small } else { &self.large };
        let taken = tokio::time::timeout(WAIT, budget.take(caller, permits(bytes)));
        taken.await.ok().and_then(Result::ok).map(Arc::new).ok_or(NoRoom)
    }
}

impl Budget {
    fn of(bytes: usize) -> Self {
        let all = Arc::new(Semaphore::new(bytes / PERMIT_BYTES));
        Self { all, permits_of_one: permits(bytes / 2), of_one: Mutex::default() }
    }

    /// First of the caller's part: whoever waits for that has nothing of the others'.
    async fn take(&self, caller: &str, permits: u32) -> Result<[OwnedSemaphorePermit; 2], AcquireError> {
        // One that is larger than a part takes the whole of it.
        let of_one = self.part(caller).acquire_many_owned(permits.min(self.permits_of_one)).await?;
        Ok([of_one, Arc::clone(&self.all).acquire_many_owned(permits).await?])
    }

    fn part(&self, caller: &str) -> Arc<Semaphore> {
        let mut of_one = self.of_one.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(part) = of_one.get(caller).and_then(Weak::upgrade) {
            return part;
        }
        of_one.retain(|_, part| part.strong_count() > 0);
        let part = Arc::new(Semaphore::new(self.permits_of_one as usize));
        of_one.insert(caller.to_owned(), Arc::downgrade(&part));
        part
    }
}

fn permits(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(PERMIT_BYTES)).unwrap_or(u32::MAX)
}
