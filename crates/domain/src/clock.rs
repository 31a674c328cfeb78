//! The only reader of the clocks. Everything that needs the time is given a [`Clock`].
//!
//! Rules
//! - [`Clock::now`] goes on steadily: a wall clock that is set while the process runs makes no lease end, no gap pass and
//!   nothing expire at once. It is taken over by a second a minute, so that a far jump is a slow one.
//! - [`Clock::uptime`] counts the time that the machine was suspended, for what another may have done meanwhile.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustix::time::{ClockId, clock_gettime};

pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The time now, in whole microseconds: what is stored is what was read.
    fn now(&self) -> Timestamp;
    /// The time since some moment, which nothing sets back.
    fn uptime(&self) -> Duration;
}

/// How often the wall clock is compared, and how much of a difference is taken over then.
const COMPARED_EVERY: Duration = Duration::from_mins(1);
const TAKEN_OVER: SignedDuration = SignedDuration::from_secs(1);

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    steady: Mutex<Steady>,
}

/// Wall time as it was at an uptime; from then on the uptime counts.
#[derive(Debug, Clone, Copy)]
struct Steady {
    wall: Timestamp,
    uptime: Duration,
}

impl Steady {
    fn at(self, uptime: Duration) -> Timestamp {
        self.wall.saturating_add(uptime.saturating_sub(self.uptime)).unwrap_or(Timestamp::MAX)
    }

    /// What is taken over of the wall clock, if it is time to.
    fn followed(self, uptime: Duration, wall: impl FnOnce() -> Timestamp) -> Self {
        if uptime.saturating_sub(self.uptime) < COMPARED_EVERY {
            return self;
        }
        let now = self.at(uptime);
        let difference = wall().duration_since(now).clamp(-TAKEN_OVER, TAKEN_OVER);
        Self { wall: now.saturating_add(difference).unwrap_or(now), uptime }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { steady: Mutex::new(Steady { wall: wall(), uptime: since_boot() }) }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let mut steady = self.steady.lock().unwrap_or_else(PoisonError::into_inner);
        // Read under the lock: no two callers see time go back.
        let uptime = since_boot();
        *steady = steady.followed(uptime, wall);
        whole_microseconds(steady.at(uptime))
    }

    fn uptime(&self) -> Duration {
        since_boot()
    }
}

fn wall() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "the one reader of the wall clock")]
    Timestamp::now()
}

fn since_boot() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct TestClock {
    start: Timestamp,
    elapsed: Mutex<Duration>,
}

impl TestClock {
    pub fn at(time: Timestamp) -> Self {
        Self { start: whole_microseconds(time), elapsed: Mutex::default() }
    }

    pub fn advance(&self, by: SignedDuration) {
        let mut elapsed = self.elapsed.lock().unwrap_or_else(PoisonError::into_inner);
        *elapsed += Duration::try_from(by).unwrap_or_default();
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        self.start.saturating_add(self.uptime()).unwrap_or(Timestamp::MAX)
    }

    fn uptime(&self) -> Duration {
        *self.elapsed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn whole_microseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).expect("in range")
    }

    #[test]
    fn a_wall_clock_that_is_set_by_a_day_is_followed_by_a_second_a_minute() {
        let mut steady = Steady { wall: at(0), uptime: Duration::from_secs(1_000) };
        for day in [86_400, -86_400] {
            let before = steady;
            for minute in 1..=10 {
                let uptime = before.uptime + Duration::from_secs(minute * 60);
                let wall = before.at(uptime) + SignedDuration::from_secs(day);
                steady = steady.followed(uptime, || wall);
                let moved = steady.at(uptime).duration_since(before.at(uptime)).as_secs();
                assert_eq!(moved, i64::try_from(minute).expect("small") * day.signum());
            }
        }
    }

    #[test]
    fn a_small_difference_is_taken_over_whole_and_not_before_its_minute() {
        let steady = Steady { wall: at(0), uptime: Duration::ZERO };
        let wall = || at(60) + SignedDuration::from_millis(300);
        let early = steady.followed(Duration::from_secs(59), wall);
        assert_eq!(early.at(Duration::from_mins(1)), at(60));
        let followed = steady.followed(Duration::from_mins(1), wall);
        assert_eq!(followed.at(Duration::from_mins(1)), wall());
    }

    #[test]
    fn the_machines_clock_goes_on() {
        let clock = SystemClock::default();
        let (now, uptime) = (clock.now(), clock.uptime());
        assert!(clock.now() >= now && clock.uptime() >= uptime);
    }
}
