//! Callers who wait for SENT: woken when their message, or its lane, changed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use postrider_domain::{MessageId, ResellerId};
use postrider_store::Changed;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

type Waiting = HashMap<ResellerId, HashMap<MessageId, watch::Sender<()>>>;

#[derive(Debug, Clone, Default)]
pub(crate) struct Waits(Arc<Mutex<Waiting>>);

/// One caller's wait, over when dropped.
#[derive(Debug)]
pub(crate) struct Wait {
    waits: Waits,
    reseller: ResellerId,
    message: MessageId,
    changes: watch::Receiver<()>,
}

impl Waits {
    /// Begins a wait. Look at the message after this, then wait for changes: none is missed.
    pub(crate) fn begin(&self, reseller: &ResellerId, message: MessageId) -> Wait {
        let mut waiting = self.lock();
        let of_reseller = waiting.entry(reseller.clone()).or_default();
        let changes = of_reseller.entry(message).or_insert_with(|| watch::Sender::new(())).subscribe();
        Wait { waits: self.clone(), reseller: reseller.clone(), message, changes }
    }

    pub(crate) fn message_changed(&self, reseller: &ResellerId, message: &MessageId) {
        if let Some(changed) = self.lock().get(reseller).and_then(|messages| messages.get(message)) {
            changed.send_replace(());
        }
    }

    pub(crate) fn lane_changed(&self, reseller: &ResellerId) {
        for changed in self.lock().get(reseller).into_iter().flat_map(HashMap::values) {
            changed.send_replace(());
        }
    }

    pub(crate) fn anything_changed(&self) {
        for changed in self.lock().values().flat_map(HashMap::values) {
            changed.send_replace(());
        }
    }

    /// Wakes those who wait, after each commit of this process and by the hints of the others. Until shutdown.
    pub(crate) async fn follow(self, mut changes: broadcast::Receiver<Changed>, shutdown: CancellationToken) {
        loop {
            let change = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                change = changes.recv() => change,
            };
            match change {
                Ok(Changed::Message(reseller, Some(message))) => self.message_changed(&reseller, &message),
                Ok(Changed::Message(reseller, None)) => self.lane_changed(&reseller),
                Ok(Changed::Anything) | Err(RecvError::Lagged(_)) => self.anything_changed(),
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wait {
    /// Returns after a change, also after one since the last call.
    pub(crate) async fn changed(&mut self) {
        // The sender lives as long as this wait does.
        if self.changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let mut waiting = self.waits.lock();
        let Some(of_reseller) = waiting.get_mut(&self.reseller) else { return };
        // This wait's own receiver is still counted.
        if of_reseller.get(&self.message).is_some_and(|changed| changed.receiver_count() <= 1) {
            of_reseller.remove(&self.message);
        }
        if of_reseller.is_empty() {
            waiting.remove(&self.reseller);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn twins_both_hear_of_a_change_that_came_before_they_listened() {
        let (waits, reseller) = (Waits::default(), ResellerId::parse("acme").expect("a slug"));
        let id = MessageId::of_uuid(uuid::Uuid::from_u128(1));
        let (mut first, mut second) = (waits.begin(&reseller, id), waits.begin(&reseller, id));
        waits.message_changed(&reseller, &id);
        first.changed().await;
        second.changed().await;
        drop((first, second));
        assert!(waits.lock().is_empty());
    }
}
