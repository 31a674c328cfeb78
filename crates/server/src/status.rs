//! The one place where a refusal (`refusal.rs`: every way in which a call can be refused) becomes a gRPC status.
//!
//! Rules
//! - A status carries exactly one `ErrorInfo` of the domain `postrider`, and `RequestInfo` with the id of the call.
//! - What a caller reads is written here: what happened and what to do. A cause goes to the log, once, under the
//!   call's id, and nowhere else. No text tells of another's mail, settings or keys.
//! - Details fit into the header lists of every client (8 KiB is the smallest): a long list of faults is cut and says
//!   so.
//!
//! Read first: `every_refusal_has_its_code_reason_and_details` below.

mod refusal;

use std::collections::HashMap;
use std::time::Duration;

use postrider_domain::limits::{GRAPH_REQUEST_BYTES_MAX, VIOLATION_BYTES_MAX};
use postrider_domain::{MessageId, MessageState, ResellerId, Violations};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};
use uuid::Uuid;

pub(crate) use self::refusal::Refusal;

/// The `domain` of every `ErrorInfo`.
pub(crate) const DOMAIN: &str = "postrider";

/// The id of one call, in its answer and in the log. The door gives each call one, in the request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallId(Uuid);

impl CallId {
    pub(crate) fn fresh() -> Self {
        Self(Uuid::new_v4())
    }

    /// The call's own id, where the door gave it one.
    pub fn of(extensions: &http::Extensions) -> Self {
        extensions.get().copied().unwrap_or_else(Self::fresh)
    }
}

impl std::fmt::Display for CallId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.hyphenated())
    }
}

/// What ends a request's body before its time: tonic passes the code on, and the door answers it in our words.
#[derive(Debug, Clone, Copy)]
pub(crate) enum BodyEnd {
    NoRoom,
    TooSlow,
}

impl From<BodyEnd> for Status {
    fn from(end: BodyEnd) -> Self {
        match end {
            BodyEnd::NoRoom => Self::unavailable("there is no room for the request"),
            BodyEnd::TooSlow => Self::deadline_exceeded("the request came in too slowly"),
        }
    }
}

/// What a status is made of.
struct Answer {
    code: Code,
    reason: &'static str,
    message: String,
    metadata: HashMap<String, String>,
    details: ErrorDetails,
}

/// How long to wait before the next try, by what has to happen first.
const RETRY_STORE: Duration = Duration::from_secs(1);
const RETRY_CREDENTIAL_STORE: Duration = Duration::from_secs(5);
const RETRY_SHUTDOWN: Duration = Duration::from_secs(1);
const RETRY_OVERLOADED: Duration = Duration::from_secs(1);
const RETRY_QUEUE: Duration = Duration::from_secs(10);
const RETRY_RATE_MIN: Duration = Duration::from_millis(100);
const RETRY_FULL: Duration = Duration::from_mins(1);

impl Refusal {
    /// The reason as a caller sees it.
    pub fn reason(&self) -> &'static str {
        self.answer().reason
    }

    /// Logs the cause, if there is one, and makes the answer.
    pub fn into_status(self, call: CallId) -> Status {
        let Answer { code, reason, message, metadata, mut details } = self.answer();
        match self.cause() {
            // What callers cause themselves must not fill the log.
            Some(cause) if code == Code::InvalidArgument => {
                tracing::debug!(event = "call_refused", request_id = %call, reason, cause, "call refused");
            }
            Some(cause) if code == Code::Internal => {
                tracing::error!(event = "call_failed", request_id = %call, reason, cause, "call failed");
            }
            Some(cause) => {
                tracing::warn!(event = "call_refused", request_id = %call, reason, cause, "call refused");
            }
            None => tracing::debug!(event = "call_refused", request_id = %call, reason, "call refused"),
        }
        details.set_error_info(reason, DOMAIN, metadata);
        details.set_request_info(call.to_string(), "");
        Status::with_error_details(code, message, details)
    }

    fn answer(&self) -> Answer {
        use Code as C;
        match self {
            Self::Unauthenticated => plain(C::Unauthenticated, "UNAUTHENTICATED", UNAUTHENTICATED),
            Self::AccessDenied => plain(C::PermissionDenied, "ACCESS_DENIED", ACCESS_DENIED),
            Self::Invalid(violations) => invalid(violations),
            Self::MessageNotFound => plain(C::NotFound, "MESSAGE_NOT_FOUND", MESSAGE_NOT_FOUND),
            Self::SettingsMissing(reseller) => settings_missing(reseller),
            Self::RequestIdReused => plain(C::AlreadyExists, "REQUEST_ID_REUSED", REQUEST_ID_REUSED),
            Self::EtagMismatch => plain(C::Aborted, "ETAG_MISMATCH", ETAG_MISMATCH),
            Self::SourceTaken => plain(C::FailedPrecondition, "SOURCE_TAKEN", SOURCE_TAKEN),
            Self::QueueFull(reseller) => queue_full(&format!("resellers/{reseller}"), QUEUE_FULL),
            Self::WholeQueueFull => queue_full("queue", WHOLE_QUEUE_FULL),
            Self::Overloaded => retried(C::ResourceExhausted, "OVERLOADED", RETRY_OVERLOADED, OVERLOADED),
            Self::RateLimited { subject, after } => rate_limited(subject, *after),
            Self::MessageState { what, state, in_doubt } => message_state(what, *state, *in_doubt),
            Self::ContentGone { state } => plain(
                C::FailedPrecondition,
                "MESSAGE_STATE",
                format!(
                    "the message is {}, and its content is gone: send it again under a new request_id",
                    shown(*state)
                ),
            ),
            Self::CursorExpired => plain(C::OutOfRange, "CURSOR_EXPIRED", CURSOR_EXPIRED),
            Self::ReaderTooSlow => {
                retried(C::ResourceExhausted, "OVERLOADED", RETRY_OVERLOADED, READER_TOO_SLOW)
            }
            Self::MessagesUnfinished => {
                plain(C::FailedPrecondition, "MESSAGES_UNFINISHED", MESSAGES_UNFINISHED)
            }
            Self::MessagesInFlight(count) => plain(
                C::FailedPrecondition,
                "MESSAGES_UNFINISHED",
                format!(
                    "{count} of the reseller's calls to Microsoft are in flight and cannot be cancelled: try again later"
                ),
            ),
            Self::KeyNotFound => plain(C::NotFound, "KEY_NOT_FOUND", "there is no key of this key_id"),
            Self::CommitUnknown { message_id, .. } => commit_unknown(*message_id),
            Self::StoreUnavailable { .. } => {
                retried(C::Unavailable, "STORE_UNAVAILABLE", RETRY_STORE, STORE_AWAY)
            }
            Self::CredentialStoreUnavailable { why, .. } => {
                let message = format!("{CREDENTIAL_STORE_AWAY}: {why}");
                retried(C::Unavailable, "CREDENTIAL_STORE_UNAVAILABLE", RETRY_CREDENTIAL_STORE, &message)
            }
            Self::StorageFull { .. } => {
                retried(C::ResourceExhausted, "STORAGE_FULL", RETRY_FULL, STORAGE_FULL)
            }
            Self::RequestTooLarge { what, limit_bytes } => Answer {
                metadata: HashMap::from([("limit_bytes".to_owned(), limit_bytes.to_string())]),
                ..plain(
                    C::InvalidArgument,
                    "REQUEST_TOO_LARGE",
                    format!("the request is too large: {what} may have {limit_bytes} bytes"),
                )
            },
            Self::MailTooLarge { request_bytes } => mail_too_large(*request_bytes),
            Self::NotTheJson { of, place } => {
                let message = format!("the body is not the JSON of a {of}: see {place}");
                plain(C::InvalidArgument, "UNDECODABLE", message)
            }
            Self::Undecodable { .. } => plain(C::InvalidArgument, "UNDECODABLE", UNDECODABLE),
            Self::IssuerUnavailable => issuer_unavailable(),
            Self::Unimplemented => plain(C::Unimplemented, "UNIMPLEMENTED", UNIMPLEMENTED),
            Self::ShuttingDown => retried(C::Unavailable, "SHUTTING_DOWN", RETRY_SHUTDOWN, SHUTTING_DOWN),
            Self::DeadlineExceeded => plain(C::DeadlineExceeded, "DEADLINE_EXCEEDED", DEADLINE_EXCEEDED),
            Self::Internal { .. } => plain(C::Internal, "INTERNAL", INTERNAL),
        }
    }
}

const UNAUTHENTICATED: &str = "no valid access key: send the metadata `authorization: Bearer pr_…` \
                               with a key that is neither expired nor revoked";
const ACCESS_DENIED: &str =
    "this access key may not do that: it needs the scope and the reseller of the call";
const MESSAGE_NOT_FOUND: &str = "the reseller has no message of this message_id";
const REQUEST_ID_REUSED: &str =
    "this request_id was used with other content: repeat that content, or take a new request_id";
const ETAG_MISMATCH: &str = "the settings have changed since this etag: get them and try again";
const SOURCE_TAKEN: &str = "this federated source is another reseller's with this client_id, and the directory is or may be the same (a domain can be a name of any): give tenant_id as a GUID, or name another source";
const QUEUE_FULL: &str =
    "the reseller has as many unfinished messages as it may have: try again when some are sent";
const WHOLE_QUEUE_FULL: &str =
    "the service has as many unfinished messages as it may have: try again when some are sent";
const RATE_LIMITED: &str =
    "more calls than the operator allows: call less often, and come again after the delay of RetryInfo";
const OVERLOADED: &str = "the service has more to do than it can, and nothing was changed: try again";
const CURSOR_EXPIRED: &str =
    "the events after this cursor are gone: list the messages, then watch from now with no cursor";
const READER_TOO_SLOW: &str = "the stream was not read for 30 s: read faster, and go on with the last cursor";
const MESSAGES_UNFINISHED: &str =
    "the reseller has unfinished messages: wait for them, or set cancel_unfinished to cancel them";
const STORE_AWAY: &str = "the database is away and nothing was changed: try again";
const CREDENTIAL_STORE_AWAY: &str =
    "the credential store does not serve this and nothing was changed, try again later";
const ISSUER_AWAY: &str =
    "the identity provider's keys are not to be had, so that no token can be checked: try again";
const STORAGE_FULL: &str =
    "the storage is full and nothing was changed: try again when the operator has made room";
const UNDECODABLE: &str =
    "the bytes of the request are not the message of this RPC: check the .proto files' version";
const UNIMPLEMENTED: &str = "this version does not serve this RPC or this compression";
const SHUTTING_DOWN: &str = "this server is shutting down: try again on a new connection";
const DEADLINE_EXCEEDED: &str =
    "the deadline passed before the answer: repeat with the same request_id to learn the outcome";
const INTERNAL: &str =
    "the service failed: give the operator the request_id of RequestInfo, which finds the cause in the log";

/// An error that names its causes by `source` alone, in one line.
pub(crate) fn with_sources(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |line, cause| format!("{line}: {cause}"))
}

fn plain(code: Code, reason: &'static str, message: impl Into<String>) -> Answer {
    Answer { code, reason, message: message.into(), metadata: HashMap::new(), details: ErrorDetails::new() }
}

fn retried(code: Code, reason: &'static str, after: Duration, message: &str) -> Answer {
    Answer { details: ErrorDetails::with_retry_info(Some(after)), ..plain(code, reason, message) }
}

fn mail_too_large(request_bytes: usize) -> Answer {
    let description = format!(
        "makes, even without attachments, a request of {request_bytes} bytes to Microsoft, which takes \
         {GRAPH_REQUEST_BYTES_MAX}: shorten the text or the HTML (an invitation counts as text); pictures written into the HTML \
         can be attachments with a content_id"
    );
    invalid(&Violations::one("email", description))
}

fn queue_full(subject: &str, message: &str) -> Answer {
    let mut details = ErrorDetails::with_quota_failure_violation(subject, message);
    details.set_retry_info(Some(RETRY_QUEUE));
    Answer { details, ..plain(Code::ResourceExhausted, "QUEUE_FULL", message) }
}

fn issuer_unavailable() -> Answer {
    retried(Code::Unavailable, "ISSUER_UNAVAILABLE", RETRY_CREDENTIAL_STORE, ISSUER_AWAY)
}

fn rate_limited(subject: &str, after: Duration) -> Answer {
    let mut details = ErrorDetails::with_quota_failure_violation(subject, RATE_LIMITED);
    details.set_retry_info(Some(after.max(RETRY_RATE_MIN)));
    Answer { details, ..plain(Code::ResourceExhausted, "RATE_LIMITED", RATE_LIMITED) }
}

fn message_state(what: &str, state: MessageState, in_doubt: bool) -> Answer {
    let state = shown(state);
    let message = match (what, in_doubt) {
        ("retried", true) => format!(
            "the message is {state} and an attempt is in doubt: set accept_duplicate if it may arrive twice"
        ),
        (_, true) => format!("the message is {state} and an attempt is in doubt: it cannot be {what}"),
        (_, false) => format!("the message is {state}: it cannot be {what}"),
    };
    plain(Code::FailedPrecondition, "MESSAGE_STATE", message)
}

/// As the API spells it, without its prefix.
fn shown(state: MessageState) -> String {
    state.as_str().to_ascii_uppercase()
}

fn settings_missing(reseller: &ResellerId) -> Answer {
    const MESSAGE: &str = "the reseller has no settings: save them with PutSettings";
    let subject = format!("resellers/{reseller}");
    let details = ErrorDetails::with_precondition_failure_violation("SETTINGS", subject, MESSAGE);
    Answer { details, ..plain(Code::FailedPrecondition, "SETTINGS_MISSING", MESSAGE) }
}

fn commit_unknown(message_id: Option<MessageId>) -> Answer {
    let message = if message_id.is_some() {
        "it is not known whether the message was stored: repeat with the same request_id, or ask GetMessage"
    } else {
        "it is not known whether the change was stored: read, or repeat it"
    };
    let metadata = message_id.map(|id| ("message_id".to_owned(), id.to_string())).into_iter().collect();
    Answer { metadata, ..retried(Code::Unavailable, "COMMIT_UNKNOWN", RETRY_STORE, message) }
}

fn invalid(violations: &Violations) -> Answer {
    let mut bytes_left = VIOLATION_BYTES_MAX;
    let shown: Vec<_> = violations
        .iter()
        .take_while(|violation| {
            let bytes = violation.field.len() + violation.description.len();
            let fits = bytes <= bytes_left;
            bytes_left = bytes_left.saturating_sub(bytes);
            fits
        })
        .map(|violation| FieldViolation::new(&violation.field, &violation.description))
        .collect();
    let message = match (shown.as_slice(), violations.iter().count() - shown.len()) {
        ([only], 0) => format!("{}: {}", only.field, only.description),
        (all, 0) => format!("{} fields are invalid", all.len()),
        (some, rest) => {
            format!("{} fields are invalid, of which the first {} are listed", some.len() + rest, some.len())
        }
    };
    Answer {
        details: ErrorDetails::with_bad_request(shown),
        ..plain(Code::InvalidArgument, "INVALID_REQUEST", message)
    }
}

#[cfg(test)]
mod tests {
    use postrider_store::StoreError;

    use super::*;

    fn every_refusal() -> Vec<Refusal> {
        let cause = || "disk I/O error in /var/lib/postrider".to_owned();
        let message_id = Some(MessageId::of_uuid(Uuid::nil()));
        let mut violations = Violations::one("email.to", "must have at least one address");
        violations.push("email.subject", "must not hold a line break");
        vec![
            Refusal::Unauthenticated,
            Refusal::AccessDenied,
            Refusal::Invalid(violations),
            Refusal::MessageNotFound,
            Refusal::SettingsMissing(ResellerId::parse("acme").unwrap()),
            Refusal::RequestIdReused,
            Refusal::EtagMismatch,
            Refusal::SourceTaken,
            Refusal::QueueFull(ResellerId::parse("acme").unwrap()),
            Refusal::WholeQueueFull,
            Refusal::Overloaded,
            Refusal::RateLimited { subject: "resellers/acme".to_owned(), after: Duration::from_secs(2) },
            Refusal::MessageState { what: "cancelled", state: MessageState::Sent, in_doubt: false },
            Refusal::MessageState { what: "retried", state: MessageState::OutcomeUnknown, in_doubt: true },
            Refusal::ContentGone { state: MessageState::Cancelled },
            Refusal::CursorExpired,
            Refusal::ReaderTooSlow,
            Refusal::MessagesUnfinished,
            Refusal::MessagesInFlight(2),
            Refusal::KeyNotFound,
            Refusal::CommitUnknown { message_id, cause: cause() },
            Refusal::CommitUnknown { message_id: None, cause: cause() },
            Refusal::StoreUnavailable { cause: cause() },
            Refusal::CredentialStoreUnavailable { why: "Vault is sealed".to_owned(), cause: cause() },
            Refusal::StorageFull { cause: cause() },
            Refusal::IssuerUnavailable,
            Refusal::RequestTooLarge { what: "an email", limit_bytes: 36_700_160 },
            Refusal::MailTooLarge { request_bytes: 5_000_000 },
            Refusal::Undecodable { cause: cause() },
            Refusal::NotTheJson { of: "SendMailRequest".to_owned(), place: "line 1, column 2".to_owned() },
            Refusal::Unimplemented,
            Refusal::ShuttingDown,
            Refusal::DeadlineExceeded,
            Refusal::Internal { cause: cause() },
        ]
    }

    fn in_a_line(status: &Status) -> String {
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        let mut words = vec![format!("{:?} {}", status.code(), info.reason)];
        words.extend(info.metadata.iter().map(|(name, value)| format!("{name}={value}")));
        let bad = details.bad_request().into_iter().flat_map(|bad| &bad.field_violations);
        words.extend(bad.map(|violation| format!("[{}: {}]", violation.field, violation.description)));
        let failed = details.precondition_failure().into_iter().flat_map(|failure| &failure.violations);
        words.extend(failed.map(|violation| format!("{}@{}", violation.r#type, violation.subject)));
        let quota = details.quota_failure().into_iter().flat_map(|failure| &failure.violations);
        words.extend(quota.map(|violation| format!("quota {}", violation.subject)));
        let retries = details.retry_info().into_iter().filter_map(|retry| retry.retry_delay);
        words.extend(retries.map(|delay| format!("retry {}s", delay.as_secs())));
        words.join(" ")
    }

    #[test]
    fn every_refusal_has_its_code_reason_and_details() {
        let lines: Vec<_> = every_refusal()
            .into_iter()
            .map(|refusal| in_a_line(&refusal.into_status(CallId::fresh())))
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @"
        Unauthenticated UNAUTHENTICATED
        PermissionDenied ACCESS_DENIED
        InvalidArgument INVALID_REQUEST [email.to: must have at least one address] [email.subject: must not hold a line break]
        NotFound MESSAGE_NOT_FOUND
        FailedPrecondition SETTINGS_MISSING SETTINGS@resellers/acme
        AlreadyExists REQUEST_ID_REUSED
        Aborted ETAG_MISMATCH
        FailedPrecondition SOURCE_TAKEN
        ResourceExhausted QUEUE_FULL quota resellers/acme retry 10s
        ResourceExhausted QUEUE_FULL quota queue retry 10s
        ResourceExhausted OVERLOADED retry 1s
        ResourceExhausted RATE_LIMITED quota resellers/acme retry 2s
        FailedPrecondition MESSAGE_STATE
        FailedPrecondition MESSAGE_STATE
        FailedPrecondition MESSAGE_STATE
        OutOfRange CURSOR_EXPIRED
        ResourceExhausted OVERLOADED retry 1s
        FailedPrecondition MESSAGES_UNFINISHED
        FailedPrecondition MESSAGES_UNFINISHED
        NotFound KEY_NOT_FOUND
        Unavailable COMMIT_UNKNOWN message_id=00000000-0000-0000-0000-000000000000 retry 1s
        Unavailable COMMIT_UNKNOWN retry 1s
        Unavailable STORE_UNAVAILABLE retry 1s
        Unavailable CREDENTIAL_STORE_UNAVAILABLE retry 5s
        ResourceExhausted STORAGE_FULL retry 60s
        Unavailable ISSUER_UNAVAILABLE retry 5s
        InvalidArgument REQUEST_TOO_LARGE limit_bytes=36700160
        InvalidArgument INVALID_REQUEST [email: makes, even without attachments, a request of 5000000 bytes to Microsoft, which takes 4000000: shorten the text or the HTML (an invitation counts as text); pictures written into the HTML can be attachments with a content_id]
        InvalidArgument UNDECODABLE
        InvalidArgument UNDECODABLE
        Unimplemented UNIMPLEMENTED
        Unavailable SHUTTING_DOWN retry 1s
        DeadlineExceeded DEADLINE_EXCEEDED
        Internal INTERNAL
        ");
    }

    #[test]
    fn every_status_names_our_domain_and_its_call_and_no_cause() {
        for refusal in every_refusal() {
            let call = CallId::fresh();
            let status = refusal.into_status(call);
            let details = status.get_error_details();
            assert_eq!(details.error_info().unwrap().domain, DOMAIN);
            assert_eq!(details.request_info().unwrap().request_id, call.to_string());
            assert!(!String::from_utf8_lossy(status.details()).contains("disk"), "{status:?}");
            assert!(!status.message().contains("disk") && !status.message().is_empty(), "{status:?}");
        }
    }

    #[test]
    fn a_long_list_of_faults_is_cut_to_what_a_header_holds_and_says_so() {
        let mut violations = Violations::default();
        for i in 0..500 {
            violations.push(format!("email.to[{i}].address"), "must be one address, such as a@example.com");
        }
        let status = Refusal::Invalid(violations).into_status(CallId::fresh());
        insta::assert_snapshot!(status.message(), @"500 fields are invalid, of which the first 66 are listed");
        assert!(status.details().len() * 4 / 3 < 7 * 1024, "{}", status.details().len());
    }

    #[test]
    fn a_store_that_lost_a_commit_names_the_message_that_may_be_there() {
        let id = MessageId::of_uuid(Uuid::new_v4());
        let refusal = Refusal::of_accept(StoreError::CommitUnknown { cause: String::new() }, id);
        let status = refusal.into_status(CallId::fresh());
        assert_eq!(status.get_error_details().error_info().unwrap().metadata["message_id"], id.to_string());
    }
}
