//! An outage of Microsoft's stops all lanes at once, not each by itself, and lets them come back gently.
//!
//! Why: while Graph is down every lane would try, fail and write that down, again and again, and all at once when it is
//! back. A settings finding or a limit is one mailbox's own, and never counts here. Nor does the trouble of whoever goes on
//! failing when somebody else was answered: some sick mailboxes never stop the others.
//!
//! ```text
//! closed ──outages of several resellers, and no success between──▶ open ──its time is over──▶ trial
//!    ▲                                                              ▲                            │
//!    └── twice as many at a time with each success ◀── success ─────┼────────────────────────────┤
//!                                                                   └──outage: a longer time─────┘
//! ```
//! What asks for a [`Pass`] makes a call; what it came to is told by [`Pass::ended`]. Knows: time as it is given. Does
//! not know: lanes, tokens, HTTP.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use postrider_domain::{Bug, Cloud, ResellerId, planted};

/// So many resellers must see an outage: one mailbox's trouble is its own.
const RESELLERS_MIN: usize = 3;
/// Of so many it is remembered that they fail, for so long after they last did.
const FAILING_MAX: usize = 1_000;
const FAILING_KEPT: Duration = Duration::from_mins(5);
/// So long a trial is left to those who did not fail, if there are any.
const OTHERS_FIRST: Duration = Duration::from_secs(5);
/// How long nothing is tried: doubled from the first to the last.
const OPEN_FIRST: Duration = Duration::from_secs(5);
const OPEN_LAST: Duration = Duration::from_mins(2);
/// From so many calls at a time on, all is as before.
const RAMPED_UP: u32 = 64;

/// Whether calls to one service in one cloud are made.
#[derive(Debug, Default)]
pub struct Breaker(Mutex<State>);

#[derive(Debug)]
struct State {
    phase: Phase,
    /// Whose last call saw an outage.
    failing: BTreeMap<ResellerId, Failing>,
    /// How often it opened since it was last closed.
    opened: u32,
}

#[derive(Debug, Clone, Copy)]
struct Failing {
    last: Timestamp,
    /// Somebody else was answered meanwhile: it is no outage of all.
    alone: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Closed,
    Open {
        until: Timestamp,
    },
    /// So many at a time, of which so many are on their way.
    Trial {
        since: Timestamp,
        at_once: u32,
        on_their_way: u32,
    },
}

impl Default for State {
    fn default() -> Self {
        Self { phase: Phase::Closed, failing: BTreeMap::new(), opened: 0 }
    }
}

/// The right to make one call.
#[derive(Debug)]
#[must_use = "what the call came to is to be told"]
pub struct Pass {
    breaker: Arc<Breaker>,
    told: bool,
}

impl Breaker {
    /// `Err`: not before that time; ask again then.
    pub fn pass(self: &Arc<Self>, reseller: &ResellerId, now: Timestamp) -> Result<Pass, Timestamp> {
        let mut state = self.lock();
        state.phase = state.phase.at(now);
        let is_failing = state.failing.contains_key(reseller);
        match &mut state.phase {
            Phase::Closed => {}
            Phase::Open { until } => return Err(*until),
            Phase::Trial { since, .. } if is_failing && now < later(*since, OTHERS_FIRST) => {
                return Err(later(*since, OTHERS_FIRST));
            }
            Phase::Trial { at_once, on_their_way, .. } if *on_their_way < *at_once => *on_their_way += 1,
            Phase::Trial { .. } => return Err(later(now, OPEN_FIRST)),
        }
        Ok(Pass { breaker: Arc::clone(self), told: false })
    }

    /// How many more calls may be begun now, and when to ask again where that is none.
    pub(crate) fn room(&self, now: Timestamp) -> Result<u32, Option<Timestamp>> {
        match self.lock().phase.at(now) {
            Phase::Closed => Ok(u32::MAX),
            Phase::Open { until } => Err(Some(until)),
            Phase::Trial { at_once, on_their_way, .. } if on_their_way < at_once => {
                Ok(at_once - on_their_way)
            }
            Phase::Trial { .. } => Err(None),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Phase {
    fn at(self, now: Timestamp) -> Self {
        match self {
            Self::Open { until } if until <= now && !planted(Bug::BreakerStaysOpen) => {
                Self::Trial { since: now, at_once: 1, on_their_way: 0 }
            }
            phase => phase,
        }
    }
}

impl State {
    fn returned(&mut self) {
        if let Phase::Trial { on_their_way, .. } = &mut self.phase {
            *on_their_way = on_their_way.saturating_sub(1);
        }
    }

    fn succeeded(&mut self, reseller: &ResellerId) {
        self.failing.remove(reseller);
        self.failing.values_mut().for_each(|failing| failing.alone = true);
        match &mut self.phase {
            Phase::Trial { at_once, .. } if *at_once < RAMPED_UP => *at_once *= 2,
            Phase::Trial { .. } => {
                tracing::info!(event = "microsoft_back", "Microsoft answers again: all lanes go on");
                (self.phase, self.opened) = (Phase::Closed, 0);
            }
            // A call from before it opened: the next trial tells more.
            Phase::Closed | Phase::Open { .. } => {}
        }
    }

    fn failed(&mut self, reseller: &ResellerId, now: Timestamp) {
        self.failing.retain(|_, failing| now < later(failing.last, FAILING_KEPT));
        if self.failing.len() < FAILING_MAX || self.failing.contains_key(reseller) {
            let failing = self.failing.entry(reseller.clone()).or_insert(Failing { last: now, alone: false });
            failing.last = now;
        }
        let is_alone = self.failing.get(reseller).is_some_and(|failing| failing.alone);
        let opens = match self.phase {
            Phase::Closed => self.failing.values().filter(|failing| !failing.alone).count() >= RESELLERS_MIN,
            Phase::Trial { .. } => !is_alone,
            Phase::Open { .. } => false,
        };
        if opens {
            let factor = 2_u32.saturating_pow(self.opened);
            let gap = OPEN_FIRST.saturating_mul(factor).min(OPEN_LAST);
            let until = later(now, gap);
            tracing::warn!(event = "microsoft_away", %until, "Microsoft does not answer: no lane tries before");
            self.opened = self.opened.saturating_add(1);
            self.phase = Phase::Open { until };
        }
    }
}

fn later(time: Timestamp, by: Duration) -> Timestamp {
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// What a call told about the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It answered, whatever it said.
    Answered,
    Outage,
    /// Nothing: no call was made.
    Nothing,
}

impl Pass {
    pub fn ended(mut self, told: Told, reseller: &ResellerId, now: Timestamp) {
        self.told = true;
        let mut state = self.breaker.lock();
        state.returned();
        match told {
            Told::Answered => state.succeeded(reseller),
            Told::Outage => state.failed(reseller, now),
            Told::Nothing => {}
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if !self.told {
            self.breaker.lock().returned();
        }
    }
}

/// A breaker for each cloud.
#[derive(Debug, Clone, Default)]
pub struct Breakers(Arc<[Arc<Breaker>; Cloud::ALL.len()]>);

impl Breakers {
    pub fn of(&self, cloud: Cloud) -> &Arc<Breaker> {
        let index = Cloud::ALL.iter().position(|known| *known == cloud).unwrap_or_default();
        &self.0[index]
    }

    /// Clouds that no lane is leased for now, how many lanes may be leased, and when to look again.
    pub(crate) fn look(&self, now: Timestamp) -> Look {
        let mut look = Look { closed_to: Vec::new(), room: u32::MAX, again: None };
        for cloud in Cloud::ALL {
            match self.of(cloud).room(now) {
                Ok(room) => look.room = look.room.min(room),
                Err(until) => {
                    look.closed_to.push(cloud);
                    look.again = [look.again, until].into_iter().flatten().min();
                }
            }
        }
        look
    }
}

/// What the dispatcher may lease.
pub(crate) struct Look {
    pub closed_to: Vec<Cloud>,
    pub room: u32,
    pub again: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).expect("in range")
    }

    fn reseller(name: &str) -> ResellerId {
        ResellerId::parse(name).expect("a slug")
    }

    fn ends(breaker: &Arc<Breaker>, told: Told, name: &str, second: i64) {
        breaker.pass(&reseller(name), at(second)).expect("a pass").ended(told, &reseller(name), at(second));
    }

    fn opened() -> Arc<Breaker> {
        let breaker = Arc::new(Breaker::default());
        for name in ["a", "b", "c"] {
            ends(&breaker, Told::Outage, name, 0);
        }
        breaker
    }

    #[test]
    fn one_resellers_trouble_is_its_own() {
        let breaker = Arc::new(Breaker::default());
        for _ in 0..100 {
            ends(&breaker, Told::Outage, "a", 0);
            ends(&breaker, Told::Outage, "b", 0);
        }
        assert!(breaker.pass(&reseller("z"), at(0)).is_ok());
    }

    #[test]
    fn a_success_between_says_that_it_is_no_outage() {
        let breaker = Arc::new(Breaker::default());
        for name in ["a", "b", "c", "d"] {
            ends(&breaker, Told::Outage, name, 0);
            ends(&breaker, Told::Answered, "z", 0);
        }
        assert!(breaker.pass(&reseller("z"), at(0)).is_ok());
    }

    #[test]
    fn the_outage_of_several_stops_all_until_one_trial() {
        let breaker = opened();
        assert_eq!(breaker.pass(&reseller("z"), at(4)).expect_err("open"), at(5));
        let _trial = breaker.pass(&reseller("z"), at(5)).expect("one");
        assert!(breaker.pass(&reseller("z"), at(5)).is_err(), "and no other");
    }

    #[test]
    fn a_trial_that_fails_waits_twice_as_long_and_no_longer_than_two_minutes() {
        let breaker = opened();
        let mut now = 5;
        for gap in [10, 20, 40, 80, 120, 120] {
            ends(&breaker, Told::Outage, &format!("reseller-{now}"), now);
            assert_eq!(breaker.pass(&reseller("z"), at(now)).expect_err("open"), at(now + gap));
            now += gap;
        }
    }

    #[test]
    fn after_a_trial_twice_as_many_go_with_each_success() {
        let breaker = opened();
        ends(&breaker, Told::Answered, "z", 5);
        let two = (
            breaker.pass(&reseller("z"), at(5)).expect("one"),
            breaker.pass(&reseller("z"), at(5)).expect("two"),
        );
        assert!(breaker.pass(&reseller("z"), at(5)).is_err());
        drop(two);
        for _ in 0..6 {
            ends(&breaker, Told::Answered, "z", 5);
        }
        let passes: Vec<_> = (0..1_000).map(|_| breaker.pass(&reseller("z"), at(5))).collect();
        assert!(passes.iter().all(Result::is_ok), "closed");
    }

    #[test]
    fn a_pass_that_is_dropped_is_given_back() {
        let breaker = opened();
        drop(breaker.pass(&reseller("z"), at(5)).expect("one"));
        assert!(breaker.pass(&reseller("z"), at(5)).is_ok());
    }

    #[test]
    fn whoever_fails_on_while_others_are_answered_stops_nobody() {
        let breaker = opened();
        ends(&breaker, Told::Answered, "z", 5);
        for second in 10..100 {
            for sick in ["a", "b", "c"] {
                ends(&breaker, Told::Outage, sick, second);
            }
            assert!(breaker.pass(&reseller("healthy"), at(second)).is_ok());
        }
    }

    #[test]
    fn a_trial_is_left_to_those_who_did_not_fail_at_first() {
        let breaker = opened();
        assert_eq!(breaker.pass(&reseller("a"), at(5)).expect_err("later"), at(10));
        assert!(breaker.pass(&reseller("z"), at(5)).is_ok());
        assert!(breaker.pass(&reseller("a"), at(10)).is_ok(), "where nobody else comes");
    }
}
