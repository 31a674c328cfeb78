//! Keeping a lease while a lane is drained, and knowing until when it may be trusted.
//!
//! A holder trusts its lease from *before* it asked, less a margin: whatever happened to the answer on its way, nobody
//! else can hold the lane before that. Nothing is handed to Graph after it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use postrider_domain::{LeaseToken, ResellerId};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::ports::Ports;

/// A tenth of the lease, a second at most: for the way from the last look at the clock to the first byte.
fn margin(duration: Duration) -> Duration {
    (duration / 10).min(Duration::from_secs(1))
}

/// Renews in the background until dropped.
pub(crate) struct Keeper {
    trust: Trust,
    renewing: AbortHandle,
}

/// Whether the lease may still be acted upon.
#[derive(Clone)]
pub(crate) struct Trust(watch::Receiver<Option<Instant>>);

impl Trust {
    pub(crate) fn holds(&self) -> bool {
        self.0.borrow().is_some_and(|until| Instant::now() < until)
    }
}

impl Keeper {
    /// `asked` is when the lease was asked for, before the store answered.
    pub(crate) fn start(
        ports: &Ports,
        reseller: ResellerId,
        token: LeaseToken,
        duration: Duration,
        asked: Instant,
    ) -> Self {
        let (sender, receiver) = watch::channel(Some(asked + duration - margin(duration)));
        let (outbox, clock) = (Arc::clone(&ports.outbox), Arc::clone(&ports.clock));
        let renewing = tokio::spawn(async move {
            loop {
                tokio::time::sleep(duration / 3).await;
                let asked = Instant::now();
                match outbox.renew(&reseller, token, until(clock.now(), duration)).await {
                    Ok(true) => {
                        sender.send_replace(Some(asked + duration - margin(duration)));
                    }
                    Ok(false) => {
                        sender.send_replace(None);
                        return;
                    }
                    // The store is away: trust runs out by itself, and the next try may be in time.
                    Err(_) => {}
                }
            }
        });
        Self { trust: Trust(receiver), renewing: renewing.abort_handle() }
    }

    pub(crate) fn trust(&self) -> Trust {
        self.trust.clone()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

pub(crate) fn until(now: Timestamp, duration: Duration) -> Timestamp {
    now.saturating_add(duration).unwrap_or(Timestamp::MAX)
}
