//! A refused call as a person reads it: what, why, every field, when to try again, and the id to report.

use std::error::Error;
use std::io;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::place::Place;
use super::screen::{add, plain};

pub(crate) fn describe(status: &Status) -> String {
    let details = status.get_error_details();
    let mut text = headline(status, &details);
    for violation in details.bad_request().into_iter().flat_map(|bad| &bad.field_violations) {
        line(&mut text, &violation.field, &violation.description);
    }
    for violation in details.precondition_failure().into_iter().flat_map(|failure| &failure.violations) {
        line(&mut text, &violation.subject, &violation.description);
    }
    for violation in details.quota_failure().into_iter().flat_map(|failure| &failure.violations) {
        line(&mut text, &violation.subject, &violation.description);
    }
    for (name, value) in details.error_info().into_iter().flat_map(|info| &info.metadata) {
        line(&mut text, name, value);
    }
    if let Some(delay) = details.retry_info().and_then(|retry| retry.retry_delay) {
        line(&mut text, "try again", &format!("in {} s", delay.as_secs_f32().ceil()));
    }
    if let Some(request) = details.request_info() {
        line(&mut text, "request", &request.request_id);
    }
    text
}

fn headline(status: &Status, details: &ErrorDetails) -> String {
    let message = plain(status.message());
    match details.error_info() {
        Some(info) => format!("{message} ({})", plain(&info.reason)),
        None if status.code() == Code::Unavailable => {
            format!("the connection ended before an answer came, so it may or may not be done: {message}")
        }
        // Why: tonic says so when our own deadline passes before the service's answer comes.
        None if matches!(status.code(), Code::Cancelled | Code::DeadlineExceeded) => {
            "no answer came in time, so it may or may not be done".to_owned()
        }
        None => format!("{message} ({:?})", status.code()),
    }
}

fn line(text: &mut String, name: &str, value: &str) {
    add(text, format_args!("\n  {}: {}", plain(name), plain(value)));
}

/// Nobody answers at a place.
pub(crate) fn silence(place: &Place, error: &tonic::transport::Error) -> String {
    let Place { url, named_by, .. } = place;
    format!("no Postrider answers at {url} (from {named_by}): {}", root(error))
}

/// The deepest cause, which is the one that tells: "connection refused".
fn root(error: &tonic::transport::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    match cause.downcast_ref::<io::Error>().map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => "connection refused".to_owned(),
        _ => cause.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_field_has_its_line() {
        let mut details = ErrorDetails::new();
        details
            .set_error_info("INVALID_REQUEST", "postrider", [])
            .add_bad_request_violation("email.to[0].address", "is no address")
            .add_bad_request_violation("email.subject", "has two lines")
            .set_request_info("r1", "");
        let status = Status::with_error_details(Code::InvalidArgument, "2 fields are wrong", details);
        insta::assert_snapshot!(describe(&status), @r"
        2 fields are wrong (INVALID_REQUEST)
          email.to[0].address: is no address
          email.subject: has two lines
          request: r1
        ");
    }

    #[test]
    fn a_retry_is_told_in_whole_seconds() {
        let mut details = ErrorDetails::new();
        details
            .set_error_info("SHUTTING_DOWN", "postrider", [])
            .set_retry_info(Some(Duration::from_millis(1_200)));
        let status = Status::with_error_details(Code::Unavailable, "this replica is leaving", details);
        assert!(describe(&status).ends_with("\n  try again: in 2 s"), "{}", describe(&status));
    }
}
