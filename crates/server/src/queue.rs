//! The bound of the whole queue: told at once, from what the store said a moment ago and what was let in since.
//!
//! A reseller's own bound is held by the store, in the transaction that accepts. The whole is of many resellers, whose
//! rows no transaction counts together, so it is looked at every second: it is exceeded by no more than what all
//! replicas let in within one.

use std::sync::atomic::{AtomicI64, Ordering};

use postrider_store::{DynStore, Queue, QueueBounds};
use tokio_util::sync::CancellationToken;

use crate::status::Refusal;

const LOOK_EVERY: std::time::Duration = std::time::Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub(crate) struct WholeQueue {
    bounds: QueueBounds,
    messages: AtomicI64,
    bytes: AtomicI64,
}

impl WholeQueue {
    pub(crate) fn new(bounds: QueueBounds, now: Queue) -> Self {
        Self { bounds, messages: AtomicI64::new(now.messages), bytes: AtomicI64::new(now.bytes) }
    }

    /// Whether so much more may be let in. It counts from now on, unless the place is given back.
    pub(crate) fn admit(&self, messages: usize, bytes: usize) -> Result<Place<'_>, Refusal> {
        let number = |count| i64::try_from(count).unwrap_or(i64::MAX);
        let place = Place { queue: self, messages: number(messages), bytes: number(bytes) };
        let messages = self.messages.fetch_add(place.messages, Ordering::Relaxed) + place.messages;
        let bytes = self.bytes.fetch_add(place.bytes, Ordering::Relaxed) + place.bytes;
        if messages > self.bounds.messages || bytes > self.bounds.bytes {
            place.give_back();
            return Err(Refusal::WholeQueueFull);
        }
        Ok(place)
    }

    /// Until shutdown.
    pub(crate) async fn follow(&self, store: DynStore, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            // While the store is away nothing is let in anyway.
            if let Ok(now) = store.queue().await {
                self.messages.store(now.messages, Ordering::Relaxed);
                self.bytes.store(now.bytes, Ordering::Relaxed);
            }
        }
    }
}

/// What was let in, as far as it is stored then. A look at the store in between makes the count too low, until the next.
#[derive(Debug)]
#[must_use = "what is refused after all gives its place back"]
pub(crate) struct Place<'q> {
    queue: &'q WholeQueue,
    messages: i64,
    bytes: i64,
}

impl Place<'_> {
    /// Nothing of it was stored.
    pub(crate) fn give_back(self) {
        self.queue.messages.fetch_sub(self.messages, Ordering::Relaxed);
        self.queue.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_let_in_since_the_last_look_counts() {
        let queue = WholeQueue::new(QueueBounds { messages: 3, bytes: 100 }, Queue { messages: 1, bytes: 0 });
        assert!(queue.admit(1, 10).is_ok() && queue.admit(1, 10).is_ok());
        assert!(queue.admit(1, 10).is_err(), "messages");
        let queue = WholeQueue::new(QueueBounds { messages: 3, bytes: 100 }, Queue::default());
        assert!(queue.admit(1, 101).is_err(), "bytes");
    }

    #[test]
    fn what_is_refused_takes_no_place() {
        let queue = WholeQueue::new(QueueBounds { messages: 1, bytes: 100 }, Queue::default());
        assert!(queue.admit(1, 101).is_err());
        queue.admit(1, 100).expect("a place").give_back();
        assert!(queue.admit(1, 100).is_ok());
    }
}
