//! Draining one leased lane: order, pace, hold, probe, release.
//!
//! The lane takes messages in its order while the mailbox has turns, and lets go as soon as nothing can be done now.
//! While it is held one message at a time goes out as a probe. Shutdown and a lost lease stop new attempts; those in
//! flight are always heard out and written down.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use postrider_domain::{Hold, Lease, MessageState, OpenAttempt, PaceLimits, Queued, Resolution};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::attempt::{Attempts, Begun, Ended};
use crate::lease::Keeper;
use crate::pace::{NotYet, Pace};
use crate::ports::{PortError, Ports};

/// Messages read ahead of their turn.
const READ_AHEAD: u32 = 32;

pub(crate) struct LaneRun {
    pub ports: Ports,
    pub lease: Lease,
    pub keeper: Keeper,
    pub pace: Arc<Pace>,
    pub limits: PaceLimits,
    pub call_timeout: Duration,
    pub woken: Arc<Notify>,
    pub shutdown: CancellationToken,
}

/// The state of a run.
struct Draining {
    attempts: Attempts,
    hold: Option<Hold>,
    /// Nothing starts before, as Microsoft asked or an outage suggests.
    wait_until: Option<Timestamp>,
    /// The mailbox's minute is full until then.
    pace_until: Option<Timestamp>,
    open: Vec<OpenAttempt>,
    queue: VecDeque<Queued>,
    in_flight: JoinSet<Ended>,
    /// A token was refused and another not yet accepted: a second refusal is a finding.
    token_refused: bool,
}

enum Next {
    Start(Queued, crate::pace::Turn, Timestamp),
    /// Until a call ends, or this time comes.
    Wait(Option<Timestamp>),
    /// Nothing can be done now.
    Leave,
}

impl LaneRun {
    /// Returns once the lane is released, or the store did not answer.
    pub(crate) async fn run(self) {
        let attempts = Attempts {
            ports: self.ports.clone(),
            lane: self.lease.lane.clone(),
            token: self.lease.token,
            trust: self.keeper.trust(),
            call_timeout: self.call_timeout,
        };
        let mut draining = Draining {
            attempts,
            hold: self.lease.hold.clone(),
            wait_until: None,
            pace_until: None,
            open: self.lease.open_attempts.clone(),
            queue: VecDeque::new(),
            in_flight: JoinSet::new(),
            token_refused: false,
        };
        self.pace.recall(&self.lease.recent_starts);
        let drained = self.drain(&mut draining).await;
        while let Some(ended) = draining.in_flight.join_next().await {
            self.heed(&mut draining, ended.ok());
        }
        if drained.is_ok() {
            let pause = draining.wait_until.max(draining.pace_until);
            drop(self.ports.outbox.release(&self.lease.lane.reseller, self.lease.token, pause).await);
        }
    }

    async fn drain(&self, draining: &mut Draining) -> Result<(), PortError> {
        while !self.shutdown.is_cancelled() && draining.attempts.trust.holds() {
            self.resolve_open(draining).await;
            match self.next(draining).await? {
                Next::Start(queued, turn, now) => {
                    match draining.attempts.begin(queued, draining.hold.clone(), turn, now).await? {
                        Begun::Started(started) => {
                            let attempts = draining.attempts.clone();
                            let may_try_another_token = !draining.token_refused;
                            draining.in_flight.spawn(attempts.finish(*started, may_try_another_token));
                        }
                        Begun::Refused(ended) => self.heed(draining, Some(ended)),
                        // Who holds the lane now, or what of it waits, the next lease will tell.
                        Begun::Skipped => return Ok(()),
                    }
                }
                Next::Wait(until) => self.wait(draining, until).await,
                Next::Leave => return Ok(()),
            }
        }
        Ok(())
    }

    async fn next(&self, draining: &mut Draining) -> Result<Next, PortError> {
        let now = self.ports.clock.now();
        let busy = !draining.in_flight.is_empty();
        let leave_or_wait = |until| if busy { Next::Wait(until) } else { Next::Leave };
        let held = draining.hold.as_ref();
        // A probe goes alone, and not before its time.
        if held.is_some_and(|hold| busy || hold.probe_time > now)
            || draining.wait_until.is_some_and(|t| t > now)
        {
            self.expire(now).await?;
            return Ok(leave_or_wait(None));
        }
        if draining.queue.is_empty() {
            self.expire(now).await?;
            let reseller = &self.lease.lane.reseller;
            draining.queue = self.ports.outbox.next_queued(reseller, now, READ_AHEAD).await?.into();
        }
        if draining.queue.front().is_some_and(|queued| queued.expire_time <= now) {
            draining.queue.clear();
            return Ok(Next::Wait(Some(now)));
        }
        if draining.queue.is_empty() {
            return Ok(leave_or_wait(None));
        }
        let open = u32::try_from(draining.open.len()).unwrap_or(u32::MAX);
        let limits = PaceLimits { concurrency: self.limits.concurrency.saturating_sub(open), ..self.limits };
        match self.pace.turn(now, limits) {
            Ok(turn) => {
                let queued = draining.queue.pop_front();
                Ok(queued.map_or(Next::Leave, |queued| Next::Start(queued, turn, now)))
            }
            Err(NotYet::Busy) => Ok(Next::Wait(draining.open.iter().map(|open| open.call_deadline).min())),
            Err(NotYet::Until(until)) => {
                draining.pace_until = Some(until);
                Ok(leave_or_wait(Some(until)))
            }
        }
    }

    async fn wait(&self, draining: &mut Draining, until: Option<Timestamp>) {
        let sleep = until.map(|until| remaining(self.ports.clock.now(), until));
        tokio::select! {
            biased;
            () = self.shutdown.cancelled() => {}
            Some(ended) = draining.in_flight.join_next() => self.heed(draining, ended.ok()),
            () = self.pace.freed() => {}
            () = self.woken.notified() => draining.queue.clear(),
            () = tokio::time::sleep(sleep.unwrap_or_default()), if sleep.is_some() => {}
        }
    }

    /// What an ended attempt means for the lane. `None`: it panicked; its row stays open and is resolved as in doubt.
    fn heed(&self, draining: &mut Draining, ended: Option<Ended>) {
        let Some(ended) = ended else {
            tracing::error!(reseller = %self.lease.lane.reseller, "an attempt ended without an outcome");
            return;
        };
        let now = self.ports.clock.now();
        draining.token_refused = ended.verdict.token_refused;
        match ended.resolution {
            Resolution::End(MessageState::Sent) => {
                if draining.hold.take().is_some() {
                    self.ports.observer.lane_changed(&self.lease.lane.reseller);
                }
                if let Some(pause) = ended.verdict.retry_after {
                    draining.wait_until = draining.wait_until.max(now.saturating_add(pause).ok());
                }
            }
            Resolution::LaneHeld(hold) => {
                tracing::warn!(
                    reseller = %self.lease.lane.reseller, finding = %hold.finding.code, probe_time = %hold.probe_time,
                    "lane held"
                );
                draining.hold = Some(hold);
                draining.queue.clear();
                self.ports.observer.lane_changed(&self.lease.lane.reseller);
            }
            Resolution::LaneWaits { until } => {
                draining.wait_until = draining.wait_until.max(Some(until));
                draining.queue.clear();
            }
            Resolution::Again { .. } => draining.queue.clear(),
            Resolution::End(_) => {}
        }
    }

    /// Calls of an earlier holder count until their deadline, and are in doubt after it.
    async fn resolve_open(&self, draining: &mut Draining) {
        let now = self.ports.clock.now();
        let (over, pending) = draining.open.drain(..).partition(|open| open.call_deadline <= now);
        draining.open = pending;
        for open in &over {
            draining.attempts.resolve_open(open, draining.hold.as_ref()).await;
        }
    }

    async fn expire(&self, now: Timestamp) -> Result<(), PortError> {
        let Lease { lane, token, .. } = &self.lease;
        for message in self.ports.outbox.expire(&lane.reseller, *token, now).await? {
            self.ports.observer.message_changed(&lane.reseller, &message);
        }
        Ok(())
    }
}

fn remaining(now: Timestamp, until: Timestamp) -> Duration {
    Duration::try_from(until.duration_since(now)).unwrap_or_default()
}
