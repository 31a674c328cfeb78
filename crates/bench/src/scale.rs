//! How much is done: for a look in some minutes, or for the table that is published.

use std::time::Duration;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    pub(crate) repeats: usize,
    /// Of one measurement under load.
    pub(crate) measure: Duration,
    pub(crate) callers: &'static [usize],
    /// Bytes of a mail's text.
    pub(crate) sizes: &'static [usize],
    /// Calls of a lone caller.
    pub(crate) lone_calls: usize,
    pub(crate) drained_lanes: &'static [usize],
    /// Of each lane that is drained.
    pub(crate) drained_messages: usize,
    /// Of the neighbour who has many.
    pub(crate) noise: usize,
    /// Messages that wait while something is measured.
    pub(crate) queued: &'static [usize],
    pub(crate) resellers: usize,
    pub(crate) replicas: &'static [usize],
}

impl Scale {
    pub(crate) fn short() -> Self {
        Self {
            repeats: 3,
            measure: Duration::from_secs(2),
            callers: &[1, 64],
            sizes: &[2_000],
            lone_calls: 200,
            drained_lanes: &[100],
            drained_messages: 40,
            noise: 5_000,
            queued: &[1_000, 30_000],
            resellers: 1_000,
            replicas: &[1, 2],
        }
    }

    pub(crate) fn full() -> Self {
        Self {
            repeats: 5,
            measure: Duration::from_secs(5),
            callers: &[1, 16, 64, 256],
            sizes: &[2_000, 100_000],
            lone_calls: 2_000,
            drained_lanes: &[100, 10_000],
            drained_messages: 100,
            noise: 100_000,
            queued: &[1_000, 10_000, 100_000, 1_000_000],
            resellers: 100_000,
            replicas: &[1, 2, 4],
        }
    }
}
