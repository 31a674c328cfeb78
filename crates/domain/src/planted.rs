//! Bugs that the simulation has to find: proof that it would find others.
//!
//! Only a build with the feature `planted` has them, and there a thread chooses one. Everywhere else [`planted`] is
//! `false` while compiling, and nothing of them is left.

/// One mistake each, where somebody could make it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// A repeated request is not known again.
    RequestKeyNotStored,
    /// Mail that is to go later goes at once.
    ScheduleIgnored,
    /// What has ended still has its place in the queue.
    PlaceNotGivenBack,
    /// Content goes while its message still waits.
    ContentGoneEarly,
    /// A message goes out with what another of its reseller's says.
    ContentOfAnother,
    /// A second outcome of an attempt replaces the first.
    OutcomeOverwritten,
    /// A 202 that comes after the attempt was given up is thrown away.
    LateAnswerThrownAway,
    /// A second attempt's outcome hides that the first is in doubt.
    DoubtForgotten,
    DoubtExpired,
    DoubtCancelled,
    /// Time that ran out ends nothing.
    ExpiryIgnored,
    /// A lane that is given back is not due again.
    NotDueAgain,
    /// A lane is leased though another holds it, who goes on.
    TwoHolders,
    /// Settings that are saved end an operator's pause.
    PauseEndedBySettings,
    /// An end is not told to those who watch.
    EndNotTold,
    /// Two events have one number.
    EventNumberedTwice,
    /// A lane's event is told of those who still wait when it is read.
    WaitsForgotten,
    /// Mail that comes due in a lane that is stopped is not told as HELD.
    HeldNotTold,
    /// The call is made though nobody knows whether its attempt was written down.
    CallWithoutAttempt,
    /// A call begins however long ago its attempt was written down.
    BeginsLate,
    RetryAfterHalved,
    /// What was asked of one call is not heard before the next.
    RetryAfterNotHeard,
    /// Calls of a holder that died do not count.
    OpenCallsNotCounted,
    /// They are resolved while they may still be running.
    OpenCallsResolvedEarly,
    /// They are tried again as if they had never left.
    SilentResend,
    AtMostOnceRetried,
    /// Broken settings are probed by many at a time.
    ProbesTogether,
    /// A new holder does not know what the last one sent within the minute.
    MinuteForgotten,
    OneMoreAtOnce,
    /// An outcome that cannot be written down is dropped.
    RecordGivenUp,
    BreakerStaysOpen,
    /// How long a lane waits goes by the tries of the message that was refused, not by how often the lane has waited.
    WaitsOfOneMessage,
    /// What the pace allowed no message before is kept when its limits are lifted.
    PaceOutlivesItsLimits,
    /// Who came last goes first.
    LastInFirstOut,
}

impl Bug {
    pub const ALL: [Self; 34] = [
        Self::RequestKeyNotStored,
        Self::ScheduleIgnored,
        Self::PlaceNotGivenBack,
        Self::ContentGoneEarly,
        Self::ContentOfAnother,
        Self::OutcomeOverwritten,
        Self::LateAnswerThrownAway,
        Self::DoubtForgotten,
        Self::DoubtExpired,
        Self::DoubtCancelled,
        Self::ExpiryIgnored,
        Self::NotDueAgain,
        Self::TwoHolders,
        Self::PauseEndedBySettings,
        Self::EndNotTold,
        Self::EventNumberedTwice,
        Self::WaitsForgotten,
        Self::HeldNotTold,
        Self::CallWithoutAttempt,
        Self::BeginsLate,
        Self::RetryAfterHalved,
        Self::RetryAfterNotHeard,
        Self::OpenCallsNotCounted,
        Self::OpenCallsResolvedEarly,
        Self::SilentResend,
        Self::AtMostOnceRetried,
        Self::ProbesTogether,
        Self::MinuteForgotten,
        Self::OneMoreAtOnce,
        Self::RecordGivenUp,
        Self::BreakerStaysOpen,
        Self::WaitsOfOneMessage,
        Self::PaceOutlivesItsLimits,
        Self::LastInFirstOut,
    ];
}

#[cfg(feature = "planted")]
mod chosen {
    use std::cell::Cell;

    use super::Bug;

    thread_local! {
        static CHOSEN: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// From now on this thread has that bug, and no other.
    pub fn plant(bug: Option<Bug>) {
        CHOSEN.set(bug);
    }

    /// Whether this thread has it.
    pub fn planted(bug: Bug) -> bool {
        CHOSEN.get() == Some(bug)
    }
}

#[cfg(feature = "planted")]
pub use chosen::{plant, planted};

/// Nobody has it.
#[cfg(not(feature = "planted"))]
pub const fn planted(_: Bug) -> bool {
    false
}
