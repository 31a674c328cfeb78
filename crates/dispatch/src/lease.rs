//! Keeping a lease while a lane is drained, and knowing until when it may be trusted.
//!
//! A holder trusts its lease from *before* it asked, less a margin: whatever happened to the answer on its way, nobody
//! else can hold the lane before that. Nothing is handed to Graph after it. The time is the machine's uptime, which counts
//! a suspension: whoever wakes up from one finds that its trust is over.

use std::sync::Arc;
use std::time::Duration;

use postrider_domain::{Clock, LaneSignal, LeaseToken, ResellerId};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::ports::Ports;
use crate::signal::Signal;

/// A tenth of the lease, a second at most: for the way from the last look at the clock to the first byte.
fn margin(duration: Duration) -> Duration {
    (duration / 10).min(Duration::from_secs(1))
}

/// A lease that was given, and all that keeping it takes.
pub(crate) struct Held {
    pub reseller: ResellerId,
    pub token: LeaseToken,
    pub duration: Duration,
    /// The uptime when it was asked for, before the store answered.
    pub asked: Duration,
    /// What its holder has heard of.
    pub signal: LaneSignal,
}

/// Renews in the background until dropped, and tells the lane when somebody else changed it.
pub(crate) struct Keeper {
    trust: Trust,
    renewing: AbortHandle,
}

/// Whether the lease may still be acted upon.
#[derive(Clone)]
pub(crate) struct Trust {
    /// By the uptime.
    until: watch::Receiver<Option<Duration>>,
    clock: Arc<dyn Clock>,
}

impl Trust {
    pub(crate) fn holds(&self) -> bool {
        self.until.borrow().is_some_and(|until| self.clock.uptime() < until)
    }
}

impl Keeper {
    pub(crate) fn start(ports: &Ports, held: Held, lane: Arc<Signal>) -> Self {
        let Held { reseller, token, duration, asked, signal } = held;
        let trusted = move |asked: Duration| Some(asked + duration.saturating_sub(margin(duration)));
        let (sender, receiver) = watch::channel(trusted(asked));
        let (outbox, clock) = (Arc::clone(&ports.outbox), Arc::clone(&ports.clock));
        let trust = Trust { until: receiver, clock: Arc::clone(&clock) };
        let renewing = tokio::spawn(async move {
            let mut heard = signal;
            loop {
                tokio::time::sleep(duration / 3).await;
                let asked = clock.uptime();
                match outbox.renew(&reseller, token, duration).await {
                    Ok(Some(signal)) => {
                        sender.send_replace(trusted(asked));
                        if signal != heard {
                            heard = signal;
                            lane.lane_changed();
                        }
                    }
                    Ok(None) => {
                        sender.send_replace(None);
                        lane.wake();
                        return;
                    }
                    // The store is away: trust runs out by itself, and the next try may be in time.
                    Err(_) => {}
                }
            }
        });
        Self { trust, renewing: renewing.abort_handle() }
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
