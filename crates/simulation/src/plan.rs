//! What a seed decides: how large the world is, and which kinds of faults exist in it at all.
//!
//! Many bugs need *few* kinds of faults, so each world has a choice of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use postrider_domain::PaceLimits;

use crate::Chance;

/// How often each kind strikes: once in so many; 0: it does not exist here.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// A transaction is refused.
    pub refused: u32,
    /// A COMMIT goes unanswered, and nothing was written.
    pub lost: u32,
    /// A COMMIT goes unanswered, and all was written.
    pub unanswered: u32,
    /// A transaction runs only after a lease is over.
    pub slow: u32,
    /// The database's answer takes longer than a lease.
    pub late: u32,
    /// A replica dies, as often as once in so many seconds.
    pub crash: u32,
    /// A replica is cut off from its database for longer than a lease.
    pub partition: u32,
    /// Graph asks to wait.
    pub throttled: u32,
    /// Graph says that it is not available.
    pub unavailable: u32,
    /// Graph takes the mail and answers 504, or its answer is lost.
    pub taken_unanswered: u32,
    /// The request is lost on its way, and so is that.
    pub not_taken_unanswered: u32,
    /// Graph finds fault with the message.
    pub rejected: u32,
    /// Graph takes the mail, and takes nearly as long as it may.
    pub graph_slow: u32,
    /// The token is not accepted, once.
    pub token_refused: u32,
    /// An administrator breaks the settings, and mends them after a while.
    pub broken: u32,
    /// An operator pauses a lane, and resumes it after a while.
    pub paused: u32,
    /// A mail is so large that memory is scarce for it. Of those that callers send.
    pub large: u32,
    /// An operator lowers what a mailbox may send in a day, and lifts that after a while.
    pub lowered: u32,
    /// A caller goes back on a mail.
    pub cancelled: u32,
    /// A caller retries what ended without SENT.
    pub retried: u32,
    /// All of Microsoft is away for some minutes.
    pub outage: u32,
}

impl Faults {
    /// Whatever a process learns it can write down.
    pub fn leave_storage_alone(&self) -> bool {
        [self.refused, self.lost, self.unanswered, self.slow, self.late, self.crash, self.partition] == [0; 7]
    }

    /// Some lane is stopped by what is no limit of its calls.
    pub fn stop_lanes(&self) -> bool {
        [self.broken, self.paused, self.lowered] != [0; 3]
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Plan {
    pub replicas: u32,
    pub resellers: u32,
    pub mails: u32,
    /// The longest pause between two mails of a caller.
    pub pause_millis: u64,
    pub pace: PaceLimits,
    /// How far the clocks of replicas are apart.
    pub skew_millis: u32,
    pub faults: Faults,
    /// How long faults strike.
    pub stormy: Duration,
}

impl Plan {
    pub fn of_seed(seed: u64) -> Self {
        let chance = Chance::of_seed(seed);
        // Each kind is there in some worlds only, and then more or less often.
        let some = |in_so_many: u32, from: u32, to: u32| {
            if chance.one_in(in_so_many) { from + chance.below(to - from + 1) } else { 0 }
        };
        let faults = Faults {
            refused: some(3, 10, 60),
            lost: some(3, 20, 80),
            unanswered: some(3, 20, 80),
            slow: some(3, 20, 80),
            late: some(3, 20, 80),
            crash: some(2, 10, 90),
            partition: some(4, 20, 120),
            throttled: some(3, 5, 40),
            unavailable: some(4, 5, 40),
            taken_unanswered: some(3, 4, 30),
            not_taken_unanswered: some(3, 4, 30),
            rejected: some(4, 5, 40),
            graph_slow: some(3, 4, 30),
            token_refused: some(5, 10, 40),
            broken: some(4, 15, 120),
            paused: some(4, 15, 120),
            cancelled: some(3, 4, 20),
            retried: some(3, 3, 10),
            outage: some(5, 60, 200),
            lowered: some(5, 20, 90),
            large: some(3, 2, 6),
        };
        Self {
            replicas: 1 + chance.below(3),
            resellers: 1 + chance.below(4),
            mails: 3 + chance.below(30),
            pause_millis: 10 + u64::from(chance.below(8_000)),
            pace: PaceLimits {
                concurrency: 1 + chance.below(4),
                messages_per_minute: 4 + chance.below(27),
                recipients_per_day: 10_000,
            },
            skew_millis: if chance.one_in(2) { 0 } else { chance.below(200) },
            faults,
            stormy: Duration::from_secs(60 + u64::from(chance.below(240))),
        }
    }
}

/// How often each fault struck. One that is asked for and never strikes proves nothing.
#[derive(Debug, Clone, Default)]
pub struct Struck(Arc<Mutex<BTreeMap<&'static str, u64>>>);

impl Struck {
    pub fn count(&self, fault: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(fault).or_default() += 1;
    }

    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
