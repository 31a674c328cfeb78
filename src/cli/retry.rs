//! When a refused call is made again: only when the service says that it helps, and only a call that is safe to repeat.

use std::time::Duration;

use tonic::{Code, Response, Status};
use tonic_types::StatusExt;

/// Calls in all.
const CALLS_MAX: u32 = 5;

/// A longer wait is the user's to decide.
const DELAY_MAX: Duration = Duration::from_secs(30);

/// Makes a call that is safe to repeat, again while the service asks for it.
pub(crate) async fn patiently<T>(
    mut call: impl AsyncFnMut() -> Result<Response<T>, Status>,
) -> Result<T, Status> {
    let mut calls = 1;
    loop {
        let status = match call().await {
            Ok(response) => return Ok(response.into_inner()),
            Err(status) => status,
        };
        let Some(delay) = delay(&status, calls) else { return Err(status) };
        eprintln!("{}; trying again in {} s", status.message(), delay.as_secs_f32().ceil());
        tokio::time::sleep(delay).await;
        calls += 1;
    }
}

/// How long to wait before the next call, after so many. None: the answer stands.
fn delay(status: &Status, calls: u32) -> Option<Duration> {
    if status.code() != Code::Unavailable || calls >= CALLS_MAX {
        return None;
    }
    let delay = status.get_details_retry_info()?.retry_delay?;
    (delay <= DELAY_MAX).then_some(delay)
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    fn refused(code: Code, delay: Duration) -> Status {
        let details = ErrorDetails::with_retry_info(Some(delay));
        Status::with_error_details(code, "away", details)
    }

    #[test]
    fn the_services_delay_is_honoured() {
        let status = refused(Code::Unavailable, Duration::from_secs(7));
        assert_eq!(delay(&status, 1), Some(Duration::from_secs(7)));
    }

    #[test]
    fn it_ends_after_a_few_calls() {
        let status = refused(Code::Unavailable, Duration::from_secs(1));
        assert_eq!(delay(&status, CALLS_MAX), None);
    }

    #[test]
    fn what_the_service_does_not_ask_for_is_not_repeated() {
        assert_eq!(delay(&Status::unavailable("the connection broke"), 1), None);
        assert_eq!(delay(&refused(Code::ResourceExhausted, Duration::from_secs(1)), 1), None);
        assert_eq!(delay(&refused(Code::Unavailable, Duration::from_hours(1)), 1), None);
    }
}
