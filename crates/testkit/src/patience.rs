//! How long anything is waited for, and the one place that reads the clock.

use std::time::{Duration, SystemTime};

/// More than anything takes on a busy machine. Reaching it is a failure, never a way to go on.
pub const PATIENCE: Duration = Duration::from_secs(45);

/// The value, or a panic that says what did not happen.
pub async fn in_time<T>(what: &str, happens: impl Future<Output = T>) -> T {
    let happened = tokio::time::timeout(PATIENCE, happens).await;
    happened.unwrap_or_else(|_elapsed| panic!("{what}: not within {} s", PATIENCE.as_secs()))
}

/// A time that is to come, in whole microseconds, which is what databases keep.
#[expect(clippy::disallowed_methods, reason = "a caller of the API has a clock of its own")]
pub fn from_now(after: Duration) -> prost_types::Timestamp {
    let time = prost_types::Timestamp::from(SystemTime::now() + after);
    prost_types::Timestamp { nanos: time.nanos / 1_000 * 1_000, ..time }
}
