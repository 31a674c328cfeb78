//! Development only: lanes, pace, decide and breaker run as they are, on tokio's paused clock, against the model store
//! (which runs the real verbs and passes the suite of every database) and a model Microsoft.
//!
//! A seed decides everything: how many replicas and resellers there are, which kinds of faults exist at all, and when
//! each strikes. A run has two phases: with faults, in which nothing wrong may happen; and without, in which everything
//! must come to an end. One checker then looks at three logs: what callers were told, what Microsoft received, and what
//! the store holds.
//!
//! | file | holds |
//! | --- | --- |
//! | `plan` | what a seed decides |
//! | `world` | the parts put together, for a seed or for a test that scripts them |
//! | `replica` | one process: a dispatcher that crashes, stalls, loses its database |
//! | `microsoft` | Entra and Graph, and the witness's log |
//! | `callers` | those who send, repeat, cancel and retry |
//! | `watcher` | those who watch |
//! | `weather` | what goes wrong by itself, and comes right again |
//! | `checker` | what was lost, doubled, stuck, out of order, over a limit |
//! | `run` | a seed from beginning to end, and its trace |
//! | `seeds` | many of them |
//! | `fleet` | nothing goes wrong but the loss of replicas: what a fleet of a given size asks of its database |
//!
//! Replay: what happens depends on the seed alone. Whatever could bring chance in (hash order, unbiased `select!`, real
//! time) has no part in it; each seed of the test command is run twice, and both traces are the same.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a world that breaks fails its test; only tests are built with it"
)]

pub mod callers;
pub mod checker;
pub mod fleet;
pub mod microsoft;
pub mod plan;
pub mod replica;
pub mod run;
pub mod seeds;
pub mod watcher;
pub mod weather;
pub mod world;

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use postrider_domain::Clock;
use tokio::time::Instant;

/// The clock of one machine, moved by tokio's and off by a fixed amount.
#[derive(Debug)]
pub struct SimClock {
    start: Instant,
    skew: SignedDuration,
}

impl SimClock {
    /// The true time, for whom others are skewed.
    pub fn new() -> Self {
        Self { start: Instant::now(), skew: SignedDuration::ZERO }
    }

    #[must_use]
    pub fn skewed(&self, skew: SignedDuration) -> Self {
        Self { start: self.start, skew }
    }
}

impl Default for SimClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        let begin = Timestamp::from_second(1_800_000_000).expect("in range");
        let now = begin + self.start.elapsed() + self.skew;
        Timestamp::from_microsecond(now.as_microsecond()).expect("in range")
    }

    fn uptime(&self) -> Duration {
        self.start.elapsed()
    }
}

/// Chance, from the seed. Shared by all parts of a world: what one draws changes what the next does.
#[derive(Debug, Clone)]
pub struct Chance(Arc<Mutex<fastrand::Rng>>);

impl Chance {
    pub fn of_seed(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))))
    }

    fn rng(&self) -> MutexGuard<'_, fastrand::Rng> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True once in `n`; never for 0.
    pub fn one_in(&self, n: u32) -> bool {
        n > 0 && self.rng().u32(0..n) == 0
    }

    pub fn below(&self, n: u32) -> u32 {
        if n == 0 { 0 } else { self.rng().u32(0..n) }
    }

    pub fn millis(&self, from: u64, to: u64) -> Duration {
        Duration::from_millis(self.rng().u64(from..=to))
    }

    pub fn pick<'t, T>(&self, of: &'t [T]) -> &'t T {
        let index = self.rng().usize(0..of.len());
        &of[index]
    }

    /// As a part of its own, whose draws change nothing elsewhere.
    #[must_use]
    pub fn split(&self) -> Self {
        let seed = self.rng().u64(..);
        Self::of_seed(seed)
    }
}

/// What happened, line by line: two runs of one seed write the same.
#[derive(Debug, Clone, Default)]
pub struct Trace(Arc<Mutex<Written>>);

#[derive(Debug)]
struct Written {
    hash: u64,
    lines: u64,
    /// Kept only where somebody will read it.
    text: Option<String>,
}

impl Default for Written {
    fn default() -> Self {
        // FNV-1a.
        Self { hash: 0xcbf2_9ce4_8422_2325, lines: 0, text: None }
    }
}

impl Trace {
    /// One that keeps its text.
    pub fn readable() -> Self {
        let written = Written { text: Some(String::new()), ..Written::default() };
        Self(Arc::new(Mutex::new(written)))
    }

    pub fn write(&self, now: Timestamp, line: &str) {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let time = now.as_microsecond().to_le_bytes();
        for byte in time.iter().chain(line.as_bytes()) {
            written.hash = (written.hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        written.lines += 1;
        if let Some(text) = &mut written.text {
            writeln!(text, "{now} {line}").expect("written");
        }
    }

    /// Of all lines so far, and how many there are.
    pub fn hash(&self) -> (u64, u64) {
        let written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (written.hash, written.lines)
    }

    pub fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).text.clone().unwrap_or_default()
    }
}
