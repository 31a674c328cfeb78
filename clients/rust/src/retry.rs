//! When a call is made again, and after how long.
//!
//! The service's `RetryInfo` says so. Where the answer came from the network before the service, or the service itself does not
//! know whether it carried the call out, only a call that may be made twice is repeated.

use std::error::Error as _;
use std::time::Duration;

use tonic::Code;

use crate::Error;

const BACKOFF_FIRST: Duration = Duration::from_millis(100);
const BACKOFF_MOST: Duration = Duration::from_secs(5);

/// Whether a call comes to the same when it is made twice: it only reads, or is idempotent, or carries a `request_id`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    Safe,
    Unsafe,
}

impl Error {
    /// How long to wait before the call is made again. None: it must not be.
    pub(crate) fn delay_before_repeat(&self, repeat: Repeat, attempt: u32) -> Option<Duration> {
        let unknown = self.reason.is_empty() || self.reason == "COMMIT_UNKNOWN";
        if unknown && repeat == Repeat::Unsafe {
            return None;
        }
        if let Some(delay) = self.retry_delay {
            return Some(jittered(delay));
        }
        let broke = self.code == Code::Unavailable || self.is_of_the_transport();
        (self.reason.is_empty() && broke).then(|| growing(attempt))
    }

    /// The connection broke under the call, whatever code tonic makes of that: only such a status has a cause.
    fn is_of_the_transport(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.source().is_some())
    }

    /// The same for a broken watch, which may also have been cut by the network or by a proxy.
    pub(crate) fn delay_before_resume(&self, attempt: u32) -> Option<Duration> {
        let cut = matches!(self.code, Code::Internal | Code::Unknown | Code::Cancelled | Code::Ok);
        if self.reason.is_empty() && cut {
            return Some(growing(attempt));
        }
        self.delay_before_repeat(Repeat::Safe, attempt)
    }
}

fn growing(attempt: u32) -> Duration {
    jittered((BACKOFF_FIRST * 2_u32.pow(attempt.min(10))).min(BACKOFF_MOST))
}

/// Never shorter, for the service's word is a least, and up to a fifth longer: callers do not come all at once.
fn jittered(delay: Duration) -> Duration {
    delay.mul_f64(1.0 + fastrand::f64() / 5.0)
}

#[cfg(test)]
mod tests {
    use tonic::Status;

    use super::{BACKOFF_MOST, Code, Error, Repeat};

    #[test]
    fn a_watch_that_fell_silent_or_was_cut_is_taken_up_again_at_growing_gaps() {
        for code in [Code::Cancelled, Code::Ok, Code::Internal, Code::Unknown, Code::Unavailable] {
            let cut = Error::without_status(code, "");
            let [first, later] = [0, 40].map(|attempt| cut.delay_before_resume(attempt).unwrap());
            assert!(first < later && later >= BACKOFF_MOST, "{code:?}");
        }
        assert_eq!(Error::without_status(Code::Unauthenticated, "").delay_before_resume(0), None);
    }

    #[test]
    fn a_call_that_may_not_be_made_twice_is_not_repeated_when_the_network_broke() {
        // As a connection that is closed by GOAWAY ends a call that was about to begin.
        let closed = Status::from_error(Box::new(std::io::Error::other("connection closed")));
        for broken in [Error::without_status(Code::Unavailable, ""), Error::from(closed)] {
            assert!(broken.delay_before_repeat(Repeat::Safe, 0).is_some(), "{broken:?}");
            assert_eq!(broken.delay_before_repeat(Repeat::Unsafe, 0), None);
        }
        let said = Error::from(Status::cancelled("by a proxy"));
        assert_eq!(said.delay_before_repeat(Repeat::Safe, 0), None);
    }
}
