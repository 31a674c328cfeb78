//! How long anything is waited for, the one wait that looks, and the one place that reads the clock.

use std::fmt::Debug;
use std::time::{Duration, SystemTime};

/// More than anything takes on a busy machine. Reaching it is a failure, never a way to go on.
pub const PATIENCE: Duration = Duration::from_secs(45);

/// The value, or a panic that says what did not happen.
pub async fn in_time<T>(what: &str, happens: impl Future<Output = T>) -> T {
    let happened = tokio::time::timeout(PATIENCE, happens).await;
    happened.unwrap_or_else(|_elapsed| panic!("{what}: not within {} s", PATIENCE.as_secs()))
}

/// How often [`seen`] looks.
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// Looks again and again until what it sees satisfies: for what tells nobody when it changes. Whatever gives a signal is waited for by that.
pub async fn seen<S: Debug, Look: Future<Output = S>>(
    what: &str,
    mut look: impl FnMut() -> Look,
    satisfies: impl Fn(&S) -> bool,
) -> S {
    let mut last = None;
    let looking = async {
        let mut ticks = tokio::time::interval(LOOK_AGAIN);
        loop {
            ticks.tick().await;
            let state = last.insert(look().await);
            if satisfies(state) {
                return;
            }
        }
    };
    let satisfied = tokio::time::timeout(PATIENCE, looking).await.is_ok();
    assert!(satisfied, "{what}: not within {} s, but {last:#?}", PATIENCE.as_secs());
    last.expect("it was seen")
}

/// A time that is to come, in whole microseconds, which is what databases keep.
#[expect(clippy::disallowed_methods, reason = "a caller of the API has a clock of its own")]
pub fn from_now(after: Duration) -> prost_types::Timestamp {
    let time = prost_types::Timestamp::from(SystemTime::now() + after);
    prost_types::Timestamp { nanos: time.nanos / 1_000 * 1_000, ..time }
}
