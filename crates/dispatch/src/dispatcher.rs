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

use crate::lane::LaneRun;
use crate::lease::{Keeper, until};
use crate::pace::Paces;
use crate::ports::{PortError, Ports};

/// Lanes drained at once; with the calls at once of a mailbox, this bounds the calls in flight.
const LANES_MAX: usize = 256;
/// How long to leave a store alone that did not answer.
const STORE_AWAY_PAUSE: Duration = Duration::from_secs(1);
/// A far due time is looked at again at least this often: the wall clock may be set meanwhile.
const LOOK_AGAIN: Duration = Duration::from_mins(1);

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
    running: Arc<Mutex<HashMap<ResellerId, Arc<Notify>>>>,
    paces: Arc<Paces>,
}

impl Wakeup {
    /// A message was accepted, or settings changed.
    pub fn wake(&self, reseller: &ResellerId) {
        match self.running().get(reseller) {
            // Should that lane just be leaving, its end makes the loop look again.
            Some(lane) => lane.notify_one(),
            None => self.any.notify_one(),
        }
    }

    /// The pace of a mailbox, for whoever else calls Graph for it.
    pub fn paces(&self) -> &Paces {
        &self.paces
    }

    fn running(&self) -> MutexGuard<'_, HashMap<ResellerId, Arc<Notify>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Dispatcher {
    pub fn new(ports: Ports, policy: Policy, wakeup: Wakeup) -> Self {
        Self { ports, policy, wakeup }
    }

    /// Runs until shutdown, then hears out the calls in flight.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut lanes: JoinSet<Lane> = JoinSet::new();
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
        lanes: &mut JoinSet<Lane>,
        shutdown: &CancellationToken,
    ) -> Result<Option<Timestamp>, PortError> {
        let free = LANES_MAX.saturating_sub(lanes.len());
        let limit = u32::try_from(free).unwrap_or(u32::MAX);
        let mut unread = false;
        for lane in self.ports.outbox.due_lanes(self.ports.clock.now(), limit).await? {
            match self.lease(&lane, shutdown).await {
                Ok(Some(run)) => {
                    lanes.spawn(async move {
                        run.run().await;
                        lane
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
        let woken = Arc::new(Notify::new());
        self.wakeup.running().insert(lane.reseller.clone(), Arc::clone(&woken));
        Ok(Some(LaneRun {
            ports: self.ports.clone(),
            keeper: Keeper::start(&self.ports, lane.reseller.clone(), token, self.policy.lease, asked),
            pace: self.wakeup.paces.of(&lease.lane),
            limits: lease.pace.applied_to(self.policy.pace),
            lease,
            call_timeout: self.policy.call_timeout,
            woken,
            shutdown: shutdown.clone(),
        }))
    }

    fn left(&self, lane: Option<Lane>) {
        let Some(lane) = lane else {
            // Which one is not known: its lease runs out, and the lane is found due by then.
            tracing::error!("a lane's task ended by a panic");
            return;
        };
        self.wakeup.running().remove(&lane.reseller);
        self.wakeup.paces.leave(&lane);
    }

    fn pause(&self, next_due: Option<Timestamp>, running: usize) -> Duration {
        let now = self.ports.clock.now();
        match next_due {
            // Every place is taken: the end of a lane wakes the loop.
            Some(_) if running >= LANES_MAX => LOOK_AGAIN,
            Some(due) => Duration::try_from(due.duration_since(now)).unwrap_or_default().min(LOOK_AGAIN),
            None => LOOK_AGAIN,
        }
    }
}
