//! Wake → lease → drain: owns the lanes' tasks and their end.
//!
//! Rules
//! - Lanes are leased the longest due first, and no more than there are places. A lane that has more to do than its turn
//!   lasts gives its place to those that wait: one backlog takes nobody's turn.
//! - Calls in flight have a bound, and their places are given in the order in which they were asked for.
//! - While Microsoft does not answer, no lane is leased for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use postrider_domain::{Lane, LeaseToken, PaceLimits, ResellerId};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::attempt::remaining;
use crate::breaker::Breakers;
use crate::lane::LaneRun;
use crate::lease::{Held, Keeper};
use crate::pace::Paces;
use crate::ports::{PortError, Ports};
use crate::signal::Signal;

/// Lanes drained at once.
const LANES_MAX: usize = 1_024;
/// A due time that has come and brings nothing does not spin the loop.
const LOOK_MIN: Duration = Duration::from_millis(100);
/// How long to leave a store alone that did not answer.
const STORE_AWAY_PAUSE: Duration = Duration::from_secs(1);

/// A lane's run that ended.
struct Left {
    reseller: ResellerId,
    signal: Arc<Signal>,
}

/// What the operator sets.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    pub pace: PaceLimits,
    pub lease: Duration,
    pub call_timeout: Duration,
    /// Calls to Graph in flight, of all lanes together.
    pub calls_max: usize,
    /// Due lanes are looked for at least this often: other replicas make them due too, and the wall clock may be set.
    pub look_every: Duration,
}

/// What all lanes of this process share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub ports: Ports,
    pub policy: Policy,
    pub paces: Arc<Paces>,
    pub breakers: Breakers,
    /// Places for calls in flight.
    pub calls: Arc<Semaphore>,
    /// Other lanes wait for a place.
    pub crowded: Arc<AtomicBool>,
    pub shutdown: CancellationToken,
}

pub struct Dispatcher {
    ports: Ports,
    policy: Policy,
    wakeup: Wakeup,
}

/// Wakes the dispatcher. Cheap to clone.
#[derive(Clone, Default)]
pub struct Wakeup {
    any: Arc<Notify>,
    running: Arc<Mutex<HashMap<ResellerId, Arc<Signal>>>>,
    paces: Arc<Paces>,
    breakers: Breakers,
}

impl Wakeup {
    /// A message was accepted or retried, or a test ended.
    pub fn wake(&self, reseller: &ResellerId) {
        self.tell(reseller, Signal::wake);
    }

    /// Settings were saved or deleted, a test showed that they work, or sending was paused or resumed: a running lane
    /// takes over what holds now.
    pub fn lane_changed(&self, reseller: &ResellerId) {
        self.tell(reseller, Signal::lane_changed);
    }

    fn tell(&self, reseller: &ResellerId, what: impl FnOnce(&Signal)) {
        match self.running().get(reseller) {
            // Should that lane just be leaving, its end makes the loop look again.
            Some(lane) => what(lane),
            None => self.any.notify_one(),
        }
    }

    /// The pace of a mailbox, for whoever else calls Graph for it.
    pub fn paces(&self) -> &Paces {
        &self.paces
    }

    fn running(&self) -> MutexGuard<'_, HashMap<ResellerId, Arc<Signal>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Dispatcher {
    pub fn new(ports: Ports, policy: Policy, wakeup: Wakeup) -> Self {
        Self { ports, policy, wakeup }
    }

    /// Runs until shutdown, then hears out the calls in flight.
    pub async fn run(self, shutdown: CancellationToken) {
        let shared = Shared {
            ports: self.ports.clone(),
            policy: self.policy,
            paces: Arc::clone(&self.wakeup.paces),
            breakers: self.wakeup.breakers.clone(),
            calls: Arc::new(Semaphore::new(self.policy.calls_max)),
            crowded: Arc::default(),
            shutdown: shutdown.clone(),
        };
        let mut lanes = JoinSet::new();
        while !shutdown.is_cancelled() {
            let pause = match self.lease_due(&mut lanes, &shared).await {
                Ok(again) => self.pause(again),
                Err(PortError) => STORE_AWAY_PAUSE,
            };
            tokio::select! {
                biased;
                () = shutdown.cancelled() => {}
                Some(left) = lanes.join_next() => self.left(left.ok()),
                () = self.wakeup.any.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        while let Some(left) = lanes.join_next().await {
            self.left(left.ok());
        }
    }

    /// When to look again, as far as that is known.
    async fn lease_due(
        &self,
        lanes: &mut JoinSet<Left>,
        shared: &Shared,
    ) -> Result<Option<Timestamp>, PortError> {
        let outbox = &self.ports.outbox;
        let now = self.ports.clock.now();
        let look = shared.breakers.look(now);
        let free = u32::try_from(LANES_MAX.saturating_sub(lanes.len())).unwrap_or(u32::MAX);
        // One more than there are places tells whether others wait for them.
        let due = outbox.due_lanes(now, free.saturating_add(1).min(look.room), &look.closed_to).await?;
        shared.crowded.store(due.len() > free as usize, Ordering::Relaxed);
        let mut unread = false;
        for lane in due.into_iter().take(free as usize) {
            match self.lease(&lane, shared).await {
                Ok(Some(run)) => {
                    let signal = Arc::clone(&run.signal);
                    lanes.spawn(async move {
                        run.run().await;
                        Left { reseller: lane.reseller, signal }
                    });
                }
                Ok(None) => {}
                // One lane that cannot be read holds up no other.
                Err(PortError) => unread = true,
            }
        }
        if unread {
            return Err(PortError);
        }
        if lanes.len() >= LANES_MAX {
            // The end of a lane wakes the loop.
            return Ok(None);
        }
        let next = outbox.next_due(&look.closed_to).await?;
        Ok([next, look.again].into_iter().flatten().min())
    }

    async fn lease(&self, lane: &Lane, shared: &Shared) -> Result<Option<LaneRun>, PortError> {
        let token = LeaseToken::of_random(*Uuid::new_v4().as_bytes());
        let (asked, duration) = (self.ports.clock.uptime(), self.policy.lease);
        let Some(lease) = self.ports.outbox.lease(&lane.reseller, token, duration).await? else {
            return Ok(None);
        };
        let signal = Arc::new(Signal::default());
        self.wakeup.running().insert(lane.reseller.clone(), Arc::clone(&signal));
        let held = Held { reseller: lane.reseller.clone(), token, duration, asked, signal: lease.signal };
        let keeper = Keeper::start(&self.ports, held, Arc::clone(&signal));
        Ok(Some(LaneRun { shared: shared.clone(), keeper, lease, signal }))
    }

    fn left(&self, left: Option<Left>) {
        let Some(left) = left else {
            // Which one is not known: its lease runs out, and the lane is found due by then.
            tracing::error!(event = "lane_panicked", "a lane's task ended by a panic");
            return;
        };
        // The lane may already be leased again.
        let mut running = self.wakeup.running();
        if running.get(&left.reseller).is_some_and(|signal| Arc::ptr_eq(signal, &left.signal)) {
            running.remove(&left.reseller);
        }
    }

    fn pause(&self, again: Option<Timestamp>) -> Duration {
        let look_every = self.policy.look_every;
        let until = |again| remaining(self.ports.clock.now(), again);
        again.map_or(look_every, |again| until(again).clamp(LOOK_MIN, look_every.max(LOOK_MIN)))
    }
}
