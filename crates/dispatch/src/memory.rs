//! Memory for content on its way to Microsoft: bounded over all lanes, whatever waits and however large it is.
//!
//! Room is taken before the content is read, and given back with the last who holds a part of it. It comes out of one of
//! two budgets: large mail, which takes minutes to upload, never stands in the way of small mail.

use std::sync::Arc;

use bytes::Bytes;
use postrider_domain::{Content, limits};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Up to this a mail is built into one request: as MIME, and that in base64.
const SMALL_BYTES: usize = limits::GRAPH_REQUEST_BYTES_MAX;
/// What a mail is built into, in sizes of itself; a large one is sent from where it lies, piece by piece.
const COPIES: usize = 4;
/// Permits are whole kibibytes.
const PERMIT_BYTES: usize = 1024;

#[derive(Debug, Clone)]
pub(crate) struct Memory {
    small: Budget,
    large: Budget,
}

#[derive(Debug, Clone)]
struct Budget {
    free: Arc<Semaphore>,
    permits: usize,
}

/// Enough for one content.
#[derive(Debug)]
pub(crate) struct Room {
    _permits: OwnedSemaphorePermit,
}

impl Memory {
    /// So much for mail of either size; two of the largest there may be always find room.
    pub(crate) fn new(budget_bytes: usize, content_bytes_max: usize) -> Self {
        let permits = budget_bytes / PERMIT_BYTES;
        let large = permits.max(2 * permits_of(content_bytes_max));
        Self { small: Budget::new(permits), large: Budget::new(large) }
    }

    /// For a content of so many bytes, if there is room now.
    pub(crate) fn room(&self, bytes: u32) -> Option<Room> {
        let (budget, permits) = self.of(bytes);
        Arc::clone(&budget.free).try_acquire_many_owned(permits).ok().map(Room::of)
    }

    /// The same, once there is room: in the order in which it is asked for.
    pub(crate) fn next_room(&self, bytes: u32) -> impl Future<Output = Option<Room>> + Send + use<> {
        let (budget, permits) = self.of(bytes);
        let free = Arc::clone(&budget.free);
        // Never closed.
        async move { free.acquire_many_owned(permits).await.ok().map(Room::of) }
    }

    fn of(&self, bytes: u32) -> (&Budget, u32) {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let budget = if bytes <= SMALL_BYTES { &self.small } else { &self.large };
        // One that was accepted under a larger limit has all of it.
        let permits = permits_of(bytes).min(budget.permits);
        (budget, u32::try_from(permits).unwrap_or(u32::MAX))
    }
}

impl Budget {
    fn new(permits: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(permits)), permits }
    }
}

/// For all that a mail of so many bytes takes until it is sent.
fn permits_of(bytes: usize) -> usize {
    let taken = bytes.saturating_add((COPIES - 1) * bytes.min(SMALL_BYTES));
    taken.div_ceil(PERMIT_BYTES)
}

impl Room {
    fn of(permits: OwnedSemaphorePermit) -> Self {
        Self { _permits: permits }
    }

    /// It is given back with the last part of the content.
    pub(crate) fn holds(self, content: Content) -> Content {
        let body = Bytes::from_owner(Held { content: content.body, _room: self });
        Content { body, ..content }
    }
}

struct Held {
    content: Bytes,
    _room: Room,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.content
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: usize = 64 * 1024 * 1024;
    const LARGEST: u32 = 36 * 1024 * 1024;

    /// As many as find room now.
    fn fill(memory: &Memory, bytes: u32) -> Vec<Room> {
        std::iter::from_fn(|| memory.room(bytes)).collect()
    }

    #[tokio::test]
    async fn large_mail_is_bounded_and_leaves_small_mail_its_room() {
        let memory = Memory::new(BUDGET, LARGEST as usize);
        let mut large = fill(&memory, LARGEST);
        assert_eq!(large.len(), 2);
        assert!(memory.room(10_000).is_some());
        let waiting = tokio::spawn(memory.next_room(LARGEST));
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        let content = Content {
            body: vec![0; 100].into(),
            internet_message_id: None,
            create_time: jiff::Timestamp::UNIX_EPOCH,
        };
        let part = large.pop().map(|room| room.holds(content).body.slice(0..10));
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished(), "a part of it is still held");
        drop(part);
        assert!(waiting.await.expect("no panic").is_some());
    }

    #[test]
    fn mail_that_was_accepted_under_a_larger_limit_finds_room_too() {
        let memory = Memory::new(1024, 1024);
        assert!(memory.room(LARGEST).is_some());
        assert!(memory.room(1024 * 1024).is_some());
    }
}
