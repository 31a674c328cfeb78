//! Draining one leased lane: order, pace, hold, probe, release.
//!
//! The lane takes messages in its order while the mailbox has turns, and lets go as soon as nothing can be done now.
//! While it is held one message at a time goes out as a probe; while it is paused none does. Shutdown and a lost lease
//! stop new attempts; those in flight are always heard out and written down.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use postrider_domain::{
    AttemptNumber, Bug, Finding, FindingCode, Hold, Lease, MessageState, OpenAttempt, PaceLimits, Queued,
    Resolution, planted,
};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};

use crate::attempt::{Attempts, Begun, Chosen, Ended, Place, Started, remaining};
use crate::crowded_out::CrowdedOut;
use crate::dispatcher::Shared;
use crate::lease::Keeper;
use crate::order::Order;
use crate::pace::{NotYet, Pace, Turn};
use crate::ports::PortError;
use crate::signal::Signal;

/// While every turn is taken.
const BUSY_LOOK_AGAIN: Duration = Duration::from_secs(1);
/// While a call is in flight, or mail waits for memory, which may take minutes: other mail expires or comes due meanwhile.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// The lease ended what was over when it was given; then so often again.
const EXPIRE_EVERY: Duration = Duration::from_secs(1);
/// Messages of each priority read ahead of their turn.
const READ_AHEAD: u32 = 32;
/// How long a lane keeps its place while others wait for one.
const SLICE: Duration = Duration::from_secs(1);

pub(crate) struct LaneRun {
    pub shared: Shared,
    pub lease: Lease,
    pub keeper: Keeper,
    pub signal: Arc<Signal>,
}

/// The state of a run.
struct Draining {
    attempts: Attempts,
    pace: Arc<Pace>,
    limits: PaceLimits,
    paused: bool,
    hold: Option<Hold>,
    /// Nothing starts before, as Microsoft asked or an outage suggests.
    wait_until: Option<Timestamp>,
    /// Why it waits, as last heard.
    wait_finding: Option<Finding>,
    /// The mailbox's pace allows nothing before.
    pace_until: Option<Timestamp>,
    /// Attempts of an earlier holder, or of a test, as last seen.
    open: Vec<OpenAttempt>,
    woken: bool,
    queue: Order,
    /// Mail for whose content there was no memory.
    crowded_out: CrowdedOut,
    in_flight: JoinSet<Turn>,
    /// How attempts ended, before it is on disk.
    news: mpsc::UnboundedReceiver<Ended>,
    /// A token was refused and another not yet accepted: a second refusal is a finding.
    token_refused: bool,
    /// Attempts in a row that were not started, for something was not as it was read.
    stale: u32,
    /// So many were refused: what began before the last refusal may have had the same token.
    token_refusals: u32,
    /// The uptime when its turn is over, if others wait.
    slice_end: Duration,
    /// The uptime when what is over by then is ended.
    expire_again: Duration,
}

impl Draining {
    fn wait(&mut self, until: Timestamp, finding: Option<&Finding>) {
        self.wait_until = self.wait_until.max(Some(until));
        self.wait_finding = finding.cloned();
        self.queue.clear();
    }

    fn leave_or_wait(&self, now: Timestamp, until: Option<Timestamp>) -> Next {
        if self.in_flight.is_empty() && !self.crowded_out.waits() {
            return Next::Leave;
        }
        let look_again = now.saturating_add(LOOK_AGAIN).unwrap_or(now);
        Next::Wait(Some(until.map_or(look_again, |until| until.min(look_again))))
    }
}

enum Next {
    Start(Chosen),
    /// It can never have a turn: more recipients than a day may have.
    TooManyRecipients(Queued, Timestamp),
    /// There is no memory for it: smaller mail may go meanwhile.
    CrowdedOut,
    /// Until a call ends, or this time comes.
    Wait(Option<Timestamp>),
    /// Nothing can be done now.
    Leave,
}

impl LaneRun {
    /// Returns once the lane is released, or the store did not answer.
    pub(crate) async fn run(self) {
        let (tell, news) = mpsc::unbounded_channel();
        let clock = &self.shared.ports.clock;
        let attempts = Attempts {
            news: tell,
            ports: self.shared.ports.clone(),
            lane: self.lease.lane.clone(),
            settings: self.lease.settings.clone(),
            token: self.lease.token,
            trust: self.keeper.trust(),
            call_timeout: self.shared.policy.call_timeout,
            heard: self.lease.signal,
            generation: 0,
        };
        let mut draining = Draining {
            attempts,
            pace: self.shared.paces.of(&self.lease.lane, clock.now()),
            limits: self.lease.pace.applied_to(self.shared.policy.pace),
            paused: self.lease.pause.is_some(),
            hold: self.lease.hold.clone(),
            wait_until: None,
            wait_finding: None,
            pace_until: None,
            open: self.lease.open_attempts.clone(),
            woken: false,
            queue: Order::default(),
            crowded_out: CrowdedOut::default(),
            in_flight: JoinSet::new(),
            news,
            token_refused: false,
            token_refusals: 0,
            stale: 0,
            slice_end: clock.uptime() + SLICE,
            expire_again: clock.uptime() + EXPIRE_EVERY,
        };
        draining.pace.recall(clock.now(), &self.lease.recent_calls, &self.lease.recent_recipients);
        let drained = self.drain(&mut draining).await;
        draining.crowded_out.gives_up();
        while let Some(joined) = draining.in_flight.join_next().await {
            self.came_back(joined);
        }
        self.hear(&mut draining);
        if drained.is_ok() {
            let Lease { lane, token, .. } = &self.lease;
            drop(self.shared.ports.outbox.release(&lane.reseller, *token, draining.pace_until).await);
        }
    }

    fn now(&self) -> Timestamp {
        self.shared.ports.clock.now()
    }

    async fn drain(&self, draining: &mut Draining) -> Result<(), PortError> {
        while !self.shared.shutdown.is_cancelled() && draining.attempts.trust.holds() {
            if self.is_others_turn(draining) || !self.look_again(draining).await? {
                return Ok(());
            }
            let Some(place) = self.place().await else { return Ok(()) };
            match self.next(draining).await? {
                // What stopped the lane may have been heard while its queue was read.
                Next::Start(_) | Next::TooManyRecipients(..) if self.hears_of_a_stop(draining).is_some() => {}
                Next::Start(chosen) => {
                    let refusals = draining.token_refusals;
                    let begun = self.begin(draining, chosen, place).await?;
                    match begun {
                        Begun::Started(started) => {
                            draining.stale = 0;
                            self.submit(draining, *started, refusals).await;
                        }
                        Begun::Refused(ended) => self.heed(draining, *ended),
                        // What others did to it is read; if it was not that, the next lease will tell.
                        Begun::Stale if draining.stale == 0 => {
                            draining.stale += 1;
                            self.signal.lane_changed();
                        }
                        Begun::Stale | Begun::Denied => return Ok(()),
                    }
                }
                Next::TooManyRecipients(queued, now) => {
                    let most = draining.limits.recipients_per_day;
                    if !draining.attempts.set_aside(&queued, most, now).await? {
                        return Ok(());
                    }
                }
                Next::CrowdedOut => {}
                Next::Wait(until) => {
                    drop(place);
                    self.wait(draining, until).await;
                }
                Next::Leave => return Ok(()),
            }
        }
        Ok(())
    }

    /// Others wait for its place, and it had it long enough.
    fn is_others_turn(&self, draining: &Draining) -> bool {
        self.shared.crowded.load(Ordering::Relaxed) && self.shared.ports.clock.uptime() >= draining.slice_end
    }

    /// A place for one call, in the order in which lanes ask. `None`: shutdown.
    async fn place(&self) -> Option<Place> {
        tokio::select! {
            biased;
            () = self.shared.shutdown.cancelled() => None,
            place = Arc::clone(&self.shared.calls).acquire_owned() => place.ok(),
        }
    }

    /// Unless Microsoft does not answer anybody: then nothing is written down.
    async fn begin(
        &self,
        draining: &mut Draining,
        mut chosen: Chosen,
        place: Place,
    ) -> Result<Begun, PortError> {
        match self.shared.breakers.of(self.lease.cloud).pass(&self.lease.lane.reseller, chosen.now) {
            Ok(pass) => draining.attempts.begin(chosen, draining.hold.clone(), place, pass).await,
            Err(until) => {
                chosen.turn.was_not_used();
                draining.pace_until = draining.pace_until.max(Some(until));
                Ok(Begun::Denied)
            }
        }
    }

    /// Takes over what others changed: settings, a pause, and attempts of an earlier holder, which count until their
    /// deadline and are in doubt after it. `false`: the lease is lost.
    async fn look_again(&self, draining: &mut Draining) -> Result<bool, PortError> {
        let now = self.now();
        let changed = self.signal.take_changed();
        let woken = std::mem::take(&mut draining.woken);
        let may_be_over =
            |open: &OpenAttempt| woken || open.call_deadline <= now || planted(Bug::OpenCallsResolvedEarly);
        if !changed && !draining.open.iter().any(may_be_over) {
            return Ok(true);
        }
        let Lease { lane, token, .. } = &self.lease;
        let Some(lease) = self.shared.ports.outbox.reread(&lane.reseller, *token).await? else {
            return Ok(false);
        };
        draining.attempts.heard = lease.signal;
        if changed {
            self.adopt(draining, &lease);
        }
        let (over, pending) = lease
            .open_attempts
            .into_iter()
            .partition(|open| open.call_deadline <= now || planted(Bug::OpenCallsResolvedEarly));
        draining.open = pending;
        for open in &over {
            draining.attempts.resolve_open(open, draining.hold.as_ref()).await;
        }
        Ok(true)
    }

    fn adopt(&self, draining: &mut Draining, lease: &Lease) {
        draining.attempts.generation += 1;
        draining.attempts.settings.clone_from(&lease.settings);
        draining.paused = lease.pause.is_some();
        draining.hold.clone_from(&lease.hold);
        draining.limits = lease.pace.applied_to(self.shared.policy.pace);
        draining.queue.clear();
        // It was met by the limits of before.
        draining.pace_until = None;
        if lease.lane != draining.attempts.lane {
            // What the other mailbox was asked to wait for does not bind this one.
            draining.wait_until = None;
            draining.pace = self.shared.paces.of(&lease.lane, self.now());
            draining.attempts.lane = lease.lane.clone();
        }
        draining.pace.recall(self.now(), &lease.recent_calls, &lease.recent_recipients);
    }

    /// Submits, unless the lane was stopped while the attempt was written down. `refusals`: of tokens, as it began.
    async fn submit(&self, draining: &mut Draining, started: Started, refusals: u32) {
        let attempts = draining.attempts.clone();
        if let Some(finding) = self.hears_of_a_stop(draining) {
            return attempts.withdraw(started, finding).await;
        }
        let may_try_another_token = !draining.token_refused || draining.token_refusals > refusals;
        draining.in_flight.spawn(attempts.finish(started, may_try_another_token));
    }

    /// Why nothing starts now, after all that was heard so far.
    fn hears_of_a_stop(&self, draining: &mut Draining) -> Option<Finding> {
        self.hear(draining);
        let now = self.now();
        let held = draining.hold.as_ref().map(|hold| (hold.finding.clone(), hold.probe_time));
        let throttled = || Finding::new(FindingCode::Throttled);
        let waits =
            draining.wait_until.map(|until| (draining.wait_finding.clone().unwrap_or_else(throttled), until));
        held.into_iter().chain(waits).find(|(_, until)| *until > now).map(|(finding, _)| finding)
    }

    async fn next(&self, draining: &mut Draining) -> Result<Next, PortError> {
        self.expire(draining).await?;
        let now = self.now();
        let busy = !draining.in_flight.is_empty();
        let held = draining.hold.as_ref();
        // A probe goes alone, and not before its time.
        if draining.paused
            || held.is_some_and(|hold| (busy && !planted(Bug::ProbesTogether)) || hold.probe_time > now)
            || draining.wait_until.is_some_and(|t| t > now)
        {
            draining.crowded_out.gives_up();
            return Ok(draining.leave_or_wait(now, None));
        }
        if draining.queue.is_empty() {
            let (reseller, below) = (&self.lease.lane.reseller, draining.crowded_out.below());
            let queued = self.shared.ports.outbox.next_queued(reseller, now, READ_AHEAD, below).await?;
            draining.crowded_out.is_still_among(&queued);
            draining.queue.refill(queued);
        }
        let Some(queued) = draining.queue.next() else { return Ok(draining.leave_or_wait(now, None)) };
        if queued.expire_time <= now && !planted(Bug::ExpiryIgnored) {
            draining.queue.clear();
            draining.expire_again = Duration::ZERO;
            return Ok(Next::Wait(Some(now)));
        }
        let open = u32::try_from(draining.open.len()).unwrap_or(u32::MAX);
        let limits =
            PaceLimits { concurrency: draining.limits.concurrency.saturating_sub(open), ..draining.limits };
        let limits = if planted(Bug::OpenCallsNotCounted) { draining.limits } else { limits };
        let attempt = (queued.id, AttemptNumber(queued.attempts + 1));
        match draining.pace.turn(now, limits, attempt, queued.recipient_count) {
            Ok(turn) => Ok(self.choose(draining, turn, now)),
            // A turn that a test gives back may be heard by another test: it is looked at again.
            Err(NotYet::Busy) => Ok(Next::Wait(Some(now.saturating_add(BUSY_LOOK_AGAIN).unwrap_or(now)))),
            Err(NotYet::Until(until)) => {
                draining.pace_until = Some(until);
                draining.crowded_out.gives_up();
                Ok(draining.leave_or_wait(now, Some(until)))
            }
            Err(NotYet::TooManyRecipients) => {
                let queued = draining.queue.take();
                Ok(queued.map_or(Next::Leave, |queued| Next::TooManyRecipients(queued, now)))
            }
        }
    }

    /// The next message of the queue, if there is memory for its content.
    fn choose(&self, draining: &mut Draining, mut turn: Turn, now: Timestamp) -> Next {
        let Some(queued) = draining.queue.next() else { return Next::Leave };
        let Some(room) = draining.crowded_out.room_for(queued, &self.shared.memory) else {
            turn.was_not_used();
            draining.queue.clear();
            return Next::CrowdedOut;
        };
        match draining.queue.take() {
            Some(queued) => Next::Start(Chosen { queued, turn, room, now }),
            None => Next::Leave,
        }
    }

    async fn wait(&self, draining: &mut Draining, until: Option<Timestamp>) {
        let sleep = until.map(|until| remaining(self.now(), until));
        tokio::select! {
            biased;
            () = self.shared.shutdown.cancelled() => {}
            Some(ended) = draining.news.recv() => self.heed(draining, ended),
            Some(joined) = draining.in_flight.join_next() => self.came_back(joined),
            () = draining.pace.freed() => {}
            () = draining.crowded_out.finds_room() => draining.queue.clear(),
            () = self.signal.woken() => {
                draining.woken = true;
                draining.queue.clear();
            }
            () = tokio::time::sleep(sleep.unwrap_or_default()), if sleep.is_some() => {}
        }
    }

    fn came_back(&self, joined: Result<Turn, JoinError>) {
        let Ok(_given_back) = joined else {
            // Its row stays open, and is resolved as in doubt after its deadline.
            tracing::error!(event = "attempt_panicked", reseller = %self.lease.lane.reseller, "an attempt ended by a panic");
            return;
        };
    }

    fn hear(&self, draining: &mut Draining) {
        while !planted(Bug::RetryAfterNotHeard)
            && let Ok(ended) = draining.news.try_recv()
        {
            self.heed(draining, ended);
        }
    }

    /// What an ended attempt means for the lane.
    fn heed(&self, draining: &mut Draining, ended: Ended) {
        let is_of_this_mailbox = ended.lane == draining.attempts.lane;
        draining.token_refused = ended.verdict.token_refused;
        draining.token_refusals += u32::from(ended.verdict.token_refused);
        if let Some(until) = ended.asked_until.filter(|_| is_of_this_mailbox) {
            draining.wait(until, ended.verdict.finding.as_ref());
        }
        match ended.resolution {
            Resolution::End(MessageState::Sent) => {
                draining.hold = None;
            }
            Resolution::LaneHeld(_) if ended.generation != draining.attempts.generation => {
                draining.queue.clear();
            }
            Resolution::LaneHeld(hold) => {
                tracing::warn!(
                    event = "lane_held", reseller = %self.lease.lane.reseller, finding = %hold.finding.code, probe_time = %hold.probe_time,
                    "lane held"
                );
                draining.hold = Some(hold);
                draining.queue.clear();
            }
            Resolution::LaneWaits { until } if is_of_this_mailbox => {
                draining.wait(until, ended.verdict.finding.as_ref());
            }
            Resolution::Again { .. } => draining.queue.clear(),
            Resolution::End(_) | Resolution::LaneWaits { .. } => {}
        }
    }

    async fn expire(&self, draining: &mut Draining) -> Result<(), PortError> {
        let now = self.shared.ports.clock.uptime();
        if now < draining.expire_again {
            return Ok(());
        }
        draining.expire_again = now + EXPIRE_EVERY;
        let Lease { lane, token, .. } = &self.lease;
        if !self.shared.ports.outbox.expire(&lane.reseller, *token).await?.is_empty() {
            draining.queue.clear();
        }
        Ok(())
    }
}
