//! What a failed call gives: the service's reason, its message, and all violated fields.

use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// A call that failed. Its fields are those of [`Failure`].
#[derive(Clone, Debug)]
pub struct Error(Box<Failure>);

/// What is known about a call that failed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Failure {
    /// gRPC's code.
    pub code: Code,
    /// The service's own name for what is wrong, such as `INVALID_REQUEST` or `QUEUE_FULL`. Empty where the answer did not
    /// come from the service, but from the network before it.
    pub reason: String,
    /// For people.
    pub message: String,
    /// All fields that are wrong, where the reason is `INVALID_REQUEST`.
    pub violations: Vec<Violation>,
    /// What the reason comes with, such as `limit_bytes` or `message_id`.
    pub metadata: HashMap<String, String>,
    /// Names the call in the service's log.
    pub request_id: String,
    /// How long to wait before the call is made again, where the service said so.
    pub retry_delay: Option<Duration>,
    /// The whole status, with details that have no field here. Absent where our own deadline came first.
    pub status: Option<Status>,
}

/// One field that is wrong, by its path from the request: `email.to[1].address`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The path.
    pub field: String,
    /// What is wrong with it.
    pub description: String,
}

impl Error {
    pub(crate) fn without_status(code: Code, message: &str) -> Self {
        Self(Box::new(Failure {
            code,
            reason: String::new(),
            message: message.to_owned(),
            violations: Vec::new(),
            metadata: HashMap::new(),
            request_id: String::new(),
            retry_delay: None,
            status: None,
        }))
    }
}

impl Deref for Error {
    type Target = Failure;

    fn deref(&self) -> &Failure {
        &self.0
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        let Self(mut error) = Self::without_status(status.code(), status.message());
        let details = status.get_error_details();
        if let Some(info) = details.error_info() {
            error.reason.clone_from(&info.reason);
            error.metadata.clone_from(&info.metadata);
        }
        if let Some(request) = details.request_info() {
            error.request_id.clone_from(&request.request_id);
        }
        if let Some(bad) = details.bad_request() {
            let violations = bad.field_violations.iter();
            error.violations = violations
                .map(|one| Violation { field: one.field.clone(), description: one.description.clone() })
                .collect();
        }
        error.retry_delay = details.retry_info().and_then(|retry| retry.retry_delay);
        error.status = Some(status);
        Self(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.reason.is_empty() {
            write!(out, "{:?}: {}", self.code, self.message)?;
        } else {
            write!(out, "{}: {}", self.reason, self.message)?;
        }
        for Violation { field, description } in &self.violations {
            write!(out, "; {field}: {description}")?;
        }
        if !self.request_id.is_empty() {
            write!(out, " (request {})", self.request_id)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.status.as_ref().and_then(|status| std::error::Error::source(status))
    }
}
