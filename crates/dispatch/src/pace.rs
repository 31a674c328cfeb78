//! Microsoft's limits of one mailbox: so many calls at once, so many messages a minute.
//!
//! Whoever calls Graph for a mailbox takes a [`Turn`] first: its lane, and a test of its settings. The minute slides
//! over the starts of attempts, which the lease brings along, so that a restart or another holder goes on exactly
//! where the last one was.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use postrider_domain::{Lane, PaceLimits};
use tokio::sync::Notify;

const WINDOW: Duration = Duration::from_mins(1);

/// The pace of one mailbox, shared by all in this process who call Graph for it.
#[derive(Debug, Default)]
pub struct Pace {
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct State {
    in_flight: u32,
    /// Microsoft asked that nothing comes before.
    closed_until: Option<Timestamp>,
    /// Starts within the last minute, oldest first.
    starts: VecDeque<Timestamp>,
}

/// Why there is no turn now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotYet {
    /// All calls at once are taken: when one ends.
    Busy,
    /// The minute is full until then, or Microsoft asked to wait.
    Until(Timestamp),
}

/// The right to make one call. Given back when dropped.
#[derive(Debug)]
pub struct Turn {
    pace: Arc<Pace>,
}

impl Pace {
    /// Takes over starts that others recorded.
    pub fn recall(&self, starts: &[Timestamp]) {
        let mut state = self.lock();
        let mut all: Vec<_> = state.starts.iter().chain(starts).copied().collect();
        all.sort_unstable();
        all.dedup();
        state.starts = all.into();
    }

    /// A turn that begins at `now`, which must be the start written down for the attempt.
    pub fn turn(self: &Arc<Self>, now: Timestamp, limits: PaceLimits) -> Result<Turn, NotYet> {
        let mut state = self.lock();
        if let Some(until) = state.closed_until.filter(|until| *until > now) {
            return Err(NotYet::Until(until));
        }
        if state.in_flight >= limits.concurrency {
            return Err(NotYet::Busy);
        }
        let opened = before(now);
        // A clock that was set back leaves starts in the future: they tell nothing of this minute.
        while state.starts.back().is_some_and(|start| *start > now) {
            state.starts.pop_back();
        }
        while state.starts.front().is_some_and(|start| *start <= opened) {
            state.starts.pop_front();
        }
        let most = usize::try_from(limits.messages_per_minute).unwrap_or(usize::MAX);
        if most > 0 && state.starts.len() >= most {
            let blocking = state.starts.get(state.starts.len() - most).copied().unwrap_or(now);
            return Err(NotYet::Until(blocking.saturating_add(WINDOW).unwrap_or(Timestamp::MAX)));
        }
        state.in_flight += 1;
        if most > 0 {
            state.starts.push_back(now);
        }
        Ok(Turn { pace: Arc::clone(self) })
    }

    /// Nothing more until then: a `Retry-After`, whoever of this process was told it.
    pub fn close_until(&self, until: Timestamp) {
        let mut state = self.lock();
        state.closed_until = state.closed_until.max(Some(until));
    }

    /// Whether the minute that ends at `now` knows of it.
    fn is_in_use(&self, now: Timestamp) -> bool {
        let state = self.lock();
        let started = state.starts.back().is_some_and(|start| *start > before(now));
        started || state.closed_until.is_some_and(|until| until > now)
    }

    /// Returns once a turn was given back.
    pub async fn freed(&self) {
        self.freed.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the minute that ends at `now` opened.
fn before(now: Timestamp) -> Timestamp {
    now.saturating_sub(WINDOW).unwrap_or(Timestamp::MIN)
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.pace.lock().in_flight -= 1;
        self.pace.freed.notify_one();
    }
}

/// The pace of every mailbox in use, or used within the last minute.
#[derive(Debug, Default)]
pub struct Paces(Mutex<InUse>);

#[derive(Debug, Default)]
struct InUse {
    by_lane: HashMap<Lane, Arc<Pace>>,
    /// When there are so many, those that are not in use are let go.
    sweep_at: usize,
}

/// Mailboxes that are kept without a look.
const SWEEP_MIN: usize = 1024;

impl Paces {
    pub fn of(&self, lane: &Lane, now: Timestamp) -> Arc<Pace> {
        let mut paces = self.lock();
        if paces.by_lane.len() >= paces.sweep_at {
            paces.by_lane.retain(|_, pace| Arc::strong_count(pace) > 1 || pace.is_in_use(now));
            paces.sweep_at = SWEEP_MIN.max(paces.by_lane.len() * 2);
        }
        Arc::clone(paces.by_lane.entry(lane.clone()).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, InUse> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use postrider_domain::{EmailAddress, ResellerId};

    use super::*;

    const LIMITS: PaceLimits = PaceLimits { concurrency: 2, messages_per_minute: 3, recipients_per_day: 0 };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).expect("in range")
    }

    #[test]
    fn no_more_calls_at_once_than_allowed() {
        let pace = Arc::new(Pace::default());
        let first = pace.turn(at(0), LIMITS).expect("free");
        let _second = pace.turn(at(0), LIMITS).expect("free");
        assert_eq!(pace.turn(at(0), LIMITS).expect_err("busy"), NotYet::Busy);
        drop(first);
        assert!(pace.turn(at(1), LIMITS).is_ok());
    }

    #[test]
    fn the_minute_slides_and_says_when_it_has_room() {
        let pace = Arc::new(Pace::default());
        pace.recall(&[at(0), at(10), at(20)]);
        assert_eq!(pace.turn(at(59), LIMITS).expect_err("full"), NotYet::Until(at(60)));
        assert!(pace.turn(at(60), LIMITS).is_ok());
        assert_eq!(pace.turn(at(61), LIMITS).expect_err("full"), NotYet::Until(at(70)));
    }

    #[test]
    fn what_one_was_asked_to_wait_all_wait() {
        let pace = Arc::new(Pace::default());
        pace.close_until(at(5));
        pace.close_until(at(3));
        assert_eq!(pace.turn(at(4), LIMITS).expect_err("closed"), NotYet::Until(at(5)));
        assert!(pace.turn(at(5), LIMITS).is_ok());
    }

    #[test]
    fn a_clock_that_was_set_back_stalls_nothing() {
        let pace = Arc::new(Pace::default());
        pace.recall(&[at(86_400), at(86_401), at(86_402)]);
        assert!(pace.turn(at(0), LIMITS).is_ok());
    }

    #[test]
    fn a_mailbox_is_remembered_for_its_minute_and_let_go_after() {
        let paces = Paces::default();
        let lane = |n| Lane {
            reseller: ResellerId::parse("acme").expect("a slug"),
            mailbox: EmailAddress::parse(&format!("m{n}@acme.example")).expect("an address"),
        };
        drop(paces.of(&lane(0), at(0)).turn(at(0), LIMITS));
        for n in 1..=SWEEP_MIN {
            paces.of(&lane(n), at(30));
        }
        assert!(paces.lock().by_lane.contains_key(&lane(0)), "used within the minute");
        for n in 0..3 * SWEEP_MIN {
            paces.of(&lane(n + 1), at(90));
        }
        assert!(!paces.lock().by_lane.contains_key(&lane(0)));
    }

    #[test]
    fn zero_a_minute_means_no_limit() {
        let pace = Arc::new(Pace::default());
        let limits = PaceLimits { messages_per_minute: 0, ..LIMITS };
        assert!((0..1_000).all(|_| pace.turn(at(0), limits).is_ok()));
    }
}
