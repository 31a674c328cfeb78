//! Wake → lease → drain: owns the lanes' tasks and their end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use postrider_domain::{Lane, LeaseToken, PaceLimits, ResellerId};
use tokio::sync::Notify;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::attempt::remaining;
use crate::lane::LaneRun;
use crate::lease::{Keeper, until};
use crate::pace::Paces;
use crate::ports::{PortError, Ports};
use crate::signal::Signal;

/// Lanes drained at once; with the calls at once of a mailbox, this bounds the calls in flight.
const LANES_MAX: usize = 256;
/// A due time that has come and brings nothing does not spin the loop.
const LOOK_MIN: Duration = Duration::from_millis(100);
/// How long to leave a store alone that did not answer.
const STORE_AWAY_PAUSE: Duration = Duration::from_secs(1);
/// A far due time is looked at again at least this often: the wall clock may be set meanwhile.
const LOOK_AGAIN: Duration = Duration::from_mins(1);

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
}

impl Wakeup {
    /// A message was accepted, or a test ended.
    pub fn wake(&self, reseller: &ResellerId) {
        self.tell(reseller, Signal::wake);
    }

    /// Settings were saved or deleted, or a test showed that they work: a running lane takes over what holds now.
    pub fn settings_changed(&self, reseller: &ResellerId) {
        self.tell(reseller, Signal::settings_changed);
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
        let mut lanes = JoinSet::new();
        while !shutdown.is_cancelled() {
            let pause = match self.lease_due(&mut lanes, &shutdown).await {
                Ok(next_due) => self.pause(next_due, lanes.len()),
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

    async fn lease_due(
        &self,
        lanes: &mut JoinSet<Left>,
        shutdown: &CancellationToken,
    ) -> Result<Option<Timestamp>, PortError> {
        let free = LANES_MAX.saturating_sub(lanes.len());
        let limit = u32::try_from(free).unwrap_or(u32::MAX);
        let mut unread = false;
        for lane in self.ports.outbox.due_lanes(self.ports.clock.now(), limit).await? {
            match self.lease(&lane, shutdown).await {
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
        if unread { Err(PortError) } else { self.ports.outbox.next_due().await }
    }

    async fn lease(&self, lane: &Lane, shutdown: &CancellationToken) -> Result<Option<LaneRun>, PortError> {
        let token = LeaseToken::of_random(*Uuid::new_v4().as_bytes());
        let (asked, now) = (Instant::now(), self.ports.clock.now());
        let end = until(now, self.policy.lease);
        let Some(lease) = self.ports.outbox.lease(&lane.reseller, token, now, end).await? else {
            return Ok(None);
        };
        let signal = Arc::new(Signal::default());
        self.wakeup.running().insert(lane.reseller.clone(), Arc::clone(&signal));
        Ok(Some(LaneRun {
            ports: self.ports.clone(),
            keeper: Keeper::start(&self.ports, lane.reseller.clone(), token, self.policy.lease, asked),
            paces: Arc::clone(&self.wakeup.paces),
            limits: self.policy.pace,
            lease,
            call_timeout: self.policy.call_timeout,
            signal,
            shutdown: shutdown.clone(),
        }))
    }

    fn left(&self, left: Option<Left>) {
        let Some(left) = left else {
            // Which one is not known: its lease runs out, and the lane is found due by then.
            tracing::error!("a lane's task ended by a panic");
            return;
        };
        // The lane may already be leased again.
        let mut running = self.wakeup.running();
        if running.get(&left.reseller).is_some_and(|signal| Arc::ptr_eq(signal, &left.signal)) {
            running.remove(&left.reseller);
        }
    }

    fn pause(&self, next_due: Option<Timestamp>, running: usize) -> Duration {
        let now = self.ports.clock.now();
        match next_due {
            // Every place is taken: the end of a lane wakes the loop.
            Some(_) if running >= LANES_MAX => LOOK_AGAIN,
            Some(due) => remaining(now, due).clamp(LOOK_MIN, LOOK_AGAIN),
            None => LOOK_AGAIN,
        }
    }
}
