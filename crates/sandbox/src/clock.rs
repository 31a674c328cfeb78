//! The sandbox's only reader of the time. Everything else takes `now` as a parameter.

use jiff::Timestamp;

#[expect(clippy::disallowed_methods, reason = "the one place in the sandbox where the wall clock is read")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}
