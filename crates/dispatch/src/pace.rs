//! Microsoft's limits of one mailbox: so many calls at once, so many messages a minute, so many recipients a day.
//!
//! Whoever calls Graph for a mailbox takes a [`Turn`] first: its lane, and a test of its settings. The minute slides
//! over calls and the day over their hours, both of which the lease brings along, so that a restart or another holder
//! goes on where the last one was.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use postrider_domain::{
    AttemptEnd, AttemptNumber, Bug, HourOfRecipients, Lane, MessageId, MessageState, PaceLimits, RecentCall,
    Resolution, limits, planted,
};
use tokio::sync::Notify;

const HOUR_SECONDS: i64 = 3_600;
/// Hours of which the first reaches a day back.
const DAY_HOURS: i64 = 24;

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
    /// Calls within the last minute, by attempt: what others recorded of them is no other call.
    calls: BTreeMap<Attempt, Call>,
    /// Turns whose call has not begun, by their number. Two may be for one attempt: that of a lease that was lost, and the
    /// next.
    waiting: BTreeMap<u64, Timestamp>,
    turns: u64,
    /// Recipients by hours since 1970.
    hours: BTreeMap<i64, u32>,
    /// How often in a row the lane had to wait, and until when it last had.
    waits: u32,
    waits_until: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy)]
struct Call {
    time: Timestamp,
    /// It was made by this process. If not, another may have made the attempt, and later.
    is_own: bool,
}

/// A message's attempt of a number.
pub type Attempt = (MessageId, AttemptNumber);

/// Why there is no turn now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotYet {
    /// All calls at once are taken: when one ends.
    Busy,
    /// The minute or the day is full until then, or Microsoft asked to wait.
    Until(Timestamp),
    /// More recipients than a whole day may have.
    TooManyRecipients,
}

/// The right to make one call. Given back when dropped.
#[derive(Debug)]
pub struct Turn {
    pace: Arc<Pace>,
    number: u64,
    attempt: Attempt,
    hour: i64,
    recipients: u32,
    lane_waits: u32,
}

impl Pace {
    /// Takes over what others recorded, whose clocks may be ahead.
    pub fn recall(&self, now: Timestamp, calls: &[RecentCall], recipients: &[HourOfRecipients]) {
        let mut state = self.lock();
        for call in calls.iter().filter(|_| !planted(Bug::MinuteForgotten)) {
            let time = call.time.min(now);
            let known =
                state.calls.entry((call.message, call.number)).or_insert(Call { time, is_own: false });
            if !known.is_own {
                known.time = known.time.max(time);
            }
        }
        for hour in recipients {
            let counted = state.hours.entry(hour_of(hour.start)).or_default();
            *counted = hour.recipients.max(*counted);
        }
    }

    /// A turn that begins at `now`, which must be the start written down for the attempt.
    pub fn turn(
        self: &Arc<Self>,
        now: Timestamp,
        limits: PaceLimits,
        attempt: Attempt,
        recipients: u32,
    ) -> Result<Turn, NotYet> {
        let mut state = self.lock();
        if let Some(until) = state.closed_until.filter(|until| *until > now) {
            return Err(NotYet::Until(until));
        }
        if state.in_flight >= limits.concurrency + u32::from(planted(Bug::OneMoreAtOnce)) {
            return Err(NotYet::Busy);
        }
        state.minute_has_room(now, limits.messages_per_minute)?;
        state.day_has_room(now, limits.recipients_per_day, recipients)?;
        state.in_flight += 1;
        state.turns += 1;
        let number = state.turns;
        state.waiting.insert(number, now);
        let hour = hour_of(now);
        *state.hours.entry(hour).or_default() += recipients;
        let lane_waits = state.waits;
        Ok(Turn { pace: Arc::clone(self), number, attempt, hour, recipients, lane_waits })
    }

    /// Nothing more until then: a `Retry-After`, whoever of this process was told it.
    pub fn close_until(&self, until: Timestamp) {
        let mut state = self.lock();
        state.closed_until = state.closed_until.max(Some(until));
    }

    /// Whether the minute that ends at `now` knows of it: one that waited has had its next turn by then.
    fn is_in_use(&self, now: Timestamp) -> bool {
        let state = self.lock();
        let called = state.calls.values().any(|call| call.time > before(now));
        let waited = state.waits_until.is_some_and(|until| until > before(now));
        called || waited || state.closed_until.is_some_and(|until| until > now)
    }

    /// Returns once a turn was given back.
    pub async fn freed(&self) {
        self.freed.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn minute_has_room(&mut self, now: Timestamp, most: u32) -> Result<(), NotYet> {
        let opened = before(now);
        self.calls.retain(|_, call| call.time > opened);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        if most == 0 || self.calls.len() + self.waiting.len() < most {
            return Ok(());
        }
        let waiting = self.waiting.values().copied();
        let mut calls: Vec<_> = self.calls.values().map(|call| call.time).chain(waiting).collect();
        calls.sort_unstable();
        let blocking = calls.get(calls.len() - most).copied().unwrap_or(now);
        Err(NotYet::Until(blocking.saturating_add(limits::PACE_MINUTE).unwrap_or(Timestamp::MAX)))
    }

    /// By whole hours: the oldest counts until all of it is more than a day ago.
    fn day_has_room(&mut self, now: Timestamp, most: u32, recipients: u32) -> Result<(), NotYet> {
        self.hours = self.hours.split_off(&(hour_of(now) - DAY_HOURS));
        if most == 0 {
            return Ok(());
        }
        if recipients > most {
            return Err(NotYet::TooManyRecipients);
        }
        let mut left: u32 = self.hours.values().sum();
        if left + recipients <= most {
            return Ok(());
        }
        for (hour, counted) in &self.hours {
            left -= counted;
            if left + recipients <= most {
                let end = (hour + DAY_HOURS + 1) * HOUR_SECONDS;
                return Err(NotYet::Until(Timestamp::from_second(end).unwrap_or(Timestamp::MAX)));
            }
        }
        Ok(())
    }
}

fn hour_of(time: Timestamp) -> i64 {
    time.as_second().div_euclid(HOUR_SECONDS)
}

/// Where the minute that ends at `now` opened.
fn before(now: Timestamp) -> Timestamp {
    now.saturating_sub(limits::PACE_MINUTE).unwrap_or(Timestamp::MIN)
}

impl Turn {
    /// The call begins now: from now on it counts.
    pub fn begins(&self, now: Timestamp) {
        let mut state = self.pace.lock();
        state.waiting.remove(&self.number);
        state.calls.insert(self.attempt, Call { time: now, is_own: true });
    }

    /// How often in a row the lane had waited when this was taken.
    pub(crate) fn lane_waits(&self) -> u32 {
        self.lane_waits
    }

    /// What came of it, as it is heard: whoever leases the lane next may come before that is on disk. Calls that ran together
    /// and all make the lane wait count as one.
    pub(crate) fn ended(&self, end: &AttemptEnd) {
        let mut state = self.pace.lock();
        if !planted(Bug::RetryAfterNotHeard) {
            state.closed_until = state.closed_until.max(end.asked_until());
        }
        match &end.resolution {
            Resolution::LaneWaits { until } => {
                state.waits = state.waits.max(self.lane_waits.saturating_add(1));
                state.waits_until = state.waits_until.max(Some(*until));
            }
            Resolution::End(MessageState::Sent) => state.waits = 0,
            _ => {}
        }
    }

    /// No call was made.
    pub fn was_not_used(&mut self) {
        self.was_not_taken();
        self.pace.lock().waiting.remove(&self.number);
    }

    /// Microsoft did not take the mail: its recipients do not count.
    pub fn was_not_taken(&mut self) {
        let recipients = std::mem::take(&mut self.recipients);
        if let Some(counted) = self.pace.lock().hours.get_mut(&self.hour) {
            *counted = counted.saturating_sub(recipients);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.pace.lock();
        state.in_flight -= 1;
        // Whether its attempt was written down is not known: it may be another's by now.
        if let Some(time) = state.waiting.remove(&self.number) {
            state.calls.entry(self.attempt).or_insert(Call { time, is_own: false });
        }
        drop(state);
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
    const DAILY: PaceLimits = PaceLimits { concurrency: 9, messages_per_minute: 0, recipients_per_day: 100 };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).expect("in range")
    }

    fn attempt(number: u32) -> Attempt {
        (MessageId::of_uuid(uuid::Uuid::nil()), AttemptNumber(number))
    }

    fn takes(
        pace: &Arc<Pace>,
        now: Timestamp,
        limits: PaceLimits,
        number: u32,
        recipients: u32,
    ) -> Result<Turn, NotYet> {
        pace.turn(now, limits, attempt(number), recipients)
    }

    fn call(number: u32, second: i64) -> RecentCall {
        let (message, number) = attempt(number);
        RecentCall { message, number, time: at(second) }
    }

    /// When a minute that began then is over.
    fn after(second: i64) -> Timestamp {
        at(second) + limits::PACE_MINUTE
    }

    #[test]
    fn no_more_calls_at_once_than_allowed() {
        let pace = Arc::new(Pace::default());
        let first = takes(&pace, at(0), LIMITS, 1, 1).expect("free");
        let _second = takes(&pace, at(0), LIMITS, 2, 1).expect("free");
        assert_eq!(takes(&pace, at(0), LIMITS, 3, 1).expect_err("busy"), NotYet::Busy);
        drop(first);
        assert!(takes(&pace, at(1), LIMITS, 3, 1).is_ok());
    }

    #[test]
    fn the_minute_slides_and_says_when_it_has_room() {
        let pace = Arc::new(Pace::default());
        pace.recall(at(30), &[call(1, 0), call(2, 10), call(3, 20)], &[]);
        assert_eq!(takes(&pace, at(60), LIMITS, 4, 1).expect_err("full"), NotYet::Until(after(0)));
        assert!(takes(&pace, after(0), LIMITS, 4, 1).is_ok());
        assert_eq!(takes(&pace, at(61), LIMITS, 5, 1).expect_err("full"), NotYet::Until(after(10)));
    }

    #[test]
    fn a_call_counts_once_and_from_when_it_began() {
        let pace = Arc::new(Pace::default());
        let turn = takes(&pace, at(0), LIMITS, 1, 1).expect("free");
        turn.begins(at(5));
        pace.recall(at(5), &[call(1, 0), call(2, 1), call(3, 2)], &[]);
        assert_eq!(takes(&pace, at(60), LIMITS, 4, 1).expect_err("full"), NotYet::Until(after(1)));
        let mut unused = takes(&pace, at(63), LIMITS, 4, 1).expect("the two others are over");
        unused.was_not_used();
        drop((turn, unused));
        let _two = (takes(&pace, at(63), LIMITS, 5, 1), takes(&pace, at(63), LIMITS, 6, 1));
        assert_eq!(takes(&pace, after(5), LIMITS, 7, 1).expect_err("two in flight"), NotYet::Busy);
    }

    #[test]
    fn an_attempt_that_another_made_counts_from_when_that_one_did() {
        let pace = Arc::new(Pace::default());
        // Whether it was written down this process did not hear.
        drop(takes(&pace, at(0), LIMITS, 1, 1).expect("free"));
        pace.recall(at(20), &[call(1, 10), call(2, 10), call(3, 10)], &[]);
        assert_eq!(takes(&pace, at(65), LIMITS, 4, 1).expect_err("full"), NotYet::Until(after(10)));
    }

    #[test]
    fn a_turn_that_was_not_used_takes_nothing_from_another_for_the_same_attempt() {
        let pace = Arc::new(Pace::default());
        let mut of_a_lost_lease = takes(&pace, at(0), LIMITS, 1, 1).expect("free");
        takes(&pace, at(20), LIMITS, 1, 1).expect("free").begins(at(20));
        of_a_lost_lease.was_not_used();
        pace.recall(at(20), &[call(2, 20), call(3, 20)], &[]);
        assert_eq!(takes(&pace, at(65), LIMITS, 4, 1).expect_err("full"), NotYet::Until(after(20)));
    }

    #[test]
    fn the_day_counts_recipients_by_the_hour_and_says_when_it_has_room() {
        let pace = Arc::new(Pace::default());
        let hour = |n: i64, recipients| HourOfRecipients { start: at(n * HOUR_SECONDS), recipients };
        pace.recall(at(2 * HOUR_SECONDS), &[], &[hour(0, 60), hour(1, 30)]);
        let noon = at(12 * HOUR_SECONDS);
        let taken = takes(&pace, noon, DAILY, 1, 10).expect("room for ten");
        let full = NotYet::Until(at(25 * HOUR_SECONDS));
        assert_eq!(takes(&pace, noon, DAILY, 2, 1).expect_err("full"), full);
        assert_eq!(takes(&pace, at(25 * HOUR_SECONDS - 1), DAILY, 2, 1).expect_err("full"), full);
        assert!(takes(&pace, at(25 * HOUR_SECONDS), DAILY, 2, 60).is_ok());
        drop(taken);
        assert_eq!(takes(&pace, noon, DAILY, 3, 101).expect_err("never"), NotYet::TooManyRecipients);
    }

    #[test]
    fn what_was_not_taken_does_not_count() {
        let pace = Arc::new(Pace::default());
        let mut refused = takes(&pace, at(0), DAILY, 1, 100).expect("room");
        assert!(takes(&pace, at(0), DAILY, 2, 1).is_err());
        refused.was_not_taken();
        assert!(takes(&pace, at(0), DAILY, 2, 100).is_ok());
    }

    #[test]
    fn what_one_was_asked_to_wait_all_wait() {
        let pace = Arc::new(Pace::default());
        pace.close_until(at(5));
        pace.close_until(at(3));
        assert_eq!(takes(&pace, at(4), LIMITS, 1, 1).expect_err("closed"), NotYet::Until(at(5)));
        assert!(takes(&pace, at(5), LIMITS, 1, 1).is_ok());
    }

    #[test]
    fn calls_by_a_clock_that_is_ahead_count_from_now() {
        let pace = Arc::new(Pace::default());
        pace.recall(at(0), &[call(1, 86_400), call(2, 86_401), call(3, 1)], &[]);
        assert_eq!(takes(&pace, at(0), LIMITS, 4, 1).expect_err("full"), NotYet::Until(after(0)));
        assert!(takes(&pace, after(0), LIMITS, 4, 1).is_ok());
    }

    #[test]
    fn a_mailbox_is_remembered_for_its_minute_and_let_go_after() {
        let paces = Paces::default();
        let lane = |n| Lane {
            reseller: ResellerId::parse("acme").expect("a slug"),
            mailbox: EmailAddress::parse(&format!("m{n}@acme.example")).expect("an address"),
        };
        drop(takes(&paces.of(&lane(0), at(0)), at(0), LIMITS, 1, 1));
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
    fn zero_a_minute_and_a_day_mean_no_limit() {
        let pace = Arc::new(Pace::default());
        let limits = PaceLimits { messages_per_minute: 0, ..LIMITS };
        assert!((0..1_000).all(|number| takes(&pace, at(0), limits, number, 500).is_ok()));
    }
}
