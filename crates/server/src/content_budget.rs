//! Memory for content on its way to Microsoft: bounded over all lanes, whatever waits and however large it is.
//!
//! How large a message is, is known once it is read, so that few are read at a time. What is held until Microsoft has
//! answered comes out of one of two budgets: large mail, which takes minutes to upload, never stands in the way of
//! small mail.

use std::sync::Arc;

use bytes::Bytes;
use postrider_domain::{Content, limits};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Contents read at a time.
const READS: usize = 4;
/// Up to this a mail is built into one request: as MIME, and that in base64.
const SMALL_BYTES: usize = limits::GRAPH_REQUEST_BYTES_MAX;
/// What a mail is built into, in sizes of itself; a large one is sent from where it lies, piece by piece.
const COPIES: usize = 4;
const BUDGET_BYTES: usize = 256 * 1024 * 1024;
/// Permits are whole kibibytes.
const PERMIT_BYTES: usize = 1024;

#[derive(Debug, Clone)]
pub(crate) struct ContentBudget {
    reads: Arc<Semaphore>,
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

impl ContentBudget {
    /// `message_bytes_max` is the largest there may be: two of them always find room.
    pub(crate) fn new(message_bytes_max: usize) -> Self {
        let budget = |bytes: usize| Arc::new(Semaphore::new(bytes / PERMIT_BYTES));
        let large = BUDGET_BYTES.max(2 * taken(message_bytes_max + limits::REQUEST_REST_BYTES));
        Self { reads: Arc::new(Semaphore::new(READS)), small: budget(BUDGET_BYTES), large: budget(large) }
    }

    /// What `read` gives, once there is room for it. It is read again where it has to wait for that.
    pub(crate) async fn held<F, E>(&self, read: impl Fn() -> F) -> Result<Option<Content>, E>
    where
        F: Future<Output = Result<Option<Content>, E>>,
    {
        let reading = self.reads.acquire().await;
        let Some(content) = read().await? else { return Ok(None) };
        let (budget, permits) = self.of(content.body.len());
        if let Ok(room) = Arc::clone(budget).try_acquire_many_owned(permits) {
            return Ok(Some(held_in(content, room)));
        }
        drop((content, reading));
        // Never closed.
        let Ok(room) = Arc::clone(budget).acquire_many_owned(permits).await else { return Ok(None) };
        let _reading = self.reads.acquire().await;
        Ok(read().await?.map(|content| held_in(content, room)))
    }

    fn of(&self, bytes: usize) -> (&Arc<Semaphore>, u32) {
        let budget = if bytes <= SMALL_BYTES { &self.small } else { &self.large };
        let permits = u32::try_from(taken(bytes).div_ceil(PERMIT_BYTES)).unwrap_or(u32::MAX);
        (budget, permits)
    }
}

/// Memory that a mail of so many bytes takes until it is sent.
fn taken(bytes: usize) -> usize {
    bytes + (COPIES - 1) * bytes.min(SMALL_BYTES)
}

/// Gives its room back with the last who holds a part of it.
struct Held {
    content: Bytes,
    _room: OwnedSemaphorePermit,
}

fn held_in(content: Content, room: OwnedSemaphorePermit) -> Content {
    let body = Bytes::from_owner(Held { content: content.body, _room: room });
    Content { body, ..content }
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.content
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const LARGE: usize = limits::EMAIL_BYTES_MAX;

    fn content(bytes: usize) -> Content {
        let (body, create_time) = (vec![0; bytes].into(), jiff::Timestamp::UNIX_EPOCH);
        Content { body, internet_message_id: None, create_time }
    }

    async fn held(budget: &ContentBudget, bytes: usize) -> Bytes {
        budget.held(|| async move { Ok::<_, ()>(Some(content(bytes))) }).await.unwrap().unwrap().body
    }

    /// As many as find room now.
    async fn fill(budget: &ContentBudget, bytes: usize) -> Vec<Bytes> {
        let mut all = Vec::new();
        while let Ok(one) = tokio::time::timeout(std::time::Duration::from_secs(1), held(budget, bytes)).await
        {
            all.push(one);
        }
        all
    }

    #[tokio::test(start_paused = true)]
    async fn large_mail_is_bounded_and_leaves_small_mail_its_room() {
        let budget = ContentBudget::new(LARGE);
        let mut large = fill(&budget, LARGE).await;
        assert!((2..=7).contains(&large.len()), "{}", large.len());
        assert_eq!(held(&budget, 10_000).await.len(), 10_000);
        let waiting = tokio::spawn({
            let budget = budget.clone();
            async move { held(&budget, LARGE).await.len() }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        let part = large.pop().unwrap().slice(0..10);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished(), "a part of it is still held");
        drop(part);
        assert_eq!(waiting.await.unwrap(), LARGE);
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_is_not_in_memory_meanwhile() {
        let budget = ContentBudget::new(LARGE);
        let large = fill(&budget, LARGE).await;
        let (budget, reads) = (budget.clone(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&reads);
        let waiting = tokio::spawn(async move {
            let read = || async {
                counted.fetch_add(1, Ordering::Relaxed);
                Ok::<_, ()>(Some(content(LARGE)))
            };
            budget.held(read).await.unwrap().unwrap().body.len()
        });
        tokio::task::yield_now().await;
        assert_eq!(reads.load(Ordering::Relaxed), 1, "once, to learn its size");
        drop(large);
        assert_eq!((waiting.await.unwrap(), reads.load(Ordering::Relaxed)), (LARGE, 2));
    }
}
