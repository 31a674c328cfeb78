//! What each scenario answers.

use std::io;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;

use crate::answer::{GraphCall, Refusal};
use crate::breach::InFlight;
use crate::scenario::Scope;
use crate::shared::Shared;
use crate::spec::{Call, Kind, RetryAfter, Spec};
use crate::{clock, limits};

const HTML_503: &str = "<!DOCTYPE HTML><html><head><title>Service Unavailable</title></head>\
    <body><h2>Service Unavailable</h2><hr><p>HTTP Error 503. The service is unavailable.</p></body></html>";

/// The scripts that hold for one call of sendMail.
pub(crate) struct Script<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) call: &'a GraphCall,
    pub(crate) scope: &'a Scope<'a>,
    pub(crate) in_flight: Option<&'a InFlight>,
}

impl Script<'_> {
    pub(crate) async fn delay(&self) {
        let delay = self.shared.scenarios.delay(self.scope, Call::SendMail, self.call.now);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
    }

    /// A scripted answer that comes before the mail is read, if one is due.
    pub(crate) fn refusal(&self) -> Result<Option<Response>, Refusal> {
        let Some(spec) = self.shared.scenarios.take_refusal(self.scope, self.call.now) else {
            return Ok(None);
        };
        let unavailable = |code, message| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, code, message);
        match spec.kind {
            Kind::Throttle => {
                let message = "Please retry again later.";
                let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message);
                Err(self.delayed(refusal, &spec, Some(limits::RETRY_AFTER_SECONDS)))
            }
            Kind::Concurrency => Err(self.delayed(Refusal::mailbox_concurrency(None), &spec, None)),
            Kind::Stale503 => {
                let message = "Target resource 'mailbox' is currently on backend 'Unknown'";
                Err(self.delayed(unavailable("MailboxInfoStale", message), &spec, None))
            }
            Kind::RaopDenied => Err(Refusal::raop_denied()),
            Kind::Html503 => Ok(Some((StatusCode::SERVICE_UNAVAILABLE, Html(HTML_503)).into_response())),
            Kind::Plain413 => {
                Ok(Some((StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large").into_response()))
            }
            _ => Ok(Some(StatusCode::INTERNAL_SERVER_ERROR.into_response())),
        }
    }

    /// The scripted end of a mail that passed every check.
    pub(crate) fn outcome(&self) -> Option<Spec> {
        self.shared.scenarios.take(self.scope, Call::SendMail, self.call.now, Kind::is_outcome)
    }

    pub(crate) async fn play(&self, kind: Kind) -> Result<Response, Refusal> {
        match kind {
            Kind::Ok200 => Ok(StatusCode::OK.into_response()),
            Kind::Reset => Ok(reset()),
            Kind::Hang => Ok(hang(self.shared).await),
            _ => Err(Refusal::new(StatusCode::GATEWAY_TIMEOUT, "UnknownError", "")),
        }
    }

    /// The refusal with its `Retry-After`, which is remembered from the moment it is given.
    pub(crate) fn throttled(&self, refusal: Refusal, retry_after: Option<(String, Timestamp)>) -> Refusal {
        let Some((value, until)) = retry_after else { return refusal };
        if let Some(in_flight) = self.in_flight {
            in_flight.pause(clock::now(), until);
        }
        Refusal { retry_after: Some(value), ..refusal }
    }

    fn delayed(&self, refusal: Refusal, spec: &Spec, unsaid: Option<f64>) -> Refusal {
        self.throttled(refusal, spec.retry_after.at(clock::now(), unsaid))
    }
}

/// What Graph asks for when too many calls come at once.
pub(crate) fn one_second() -> (String, Timestamp) {
    let now = clock::now();
    RetryAfter::Unsaid.at(now, Some(1.0)).unwrap_or(("1".to_owned(), now))
}

/// An outage of the token endpoint, if one is due.
pub(crate) async fn token_outage(shared: &Shared, scope: &Scope<'_>) -> Option<Response> {
    let delay = shared.scenarios.delay(scope, Call::Token, clock::now());
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let now = clock::now();
    let spec = shared.scenarios.take(scope, Call::Token, now, Kind::is_token_outage)?;
    Some(match spec.kind {
        Kind::Html503 => (StatusCode::SERVICE_UNAVAILABLE, Html(HTML_503)).into_response(),
        Kind::Hang => hang(shared).await,
        Kind::Reset => reset(),
        Kind::Empty500 => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        _ => {
            let mut response = (StatusCode::TOO_MANY_REQUESTS, "Too Many Requests").into_response();
            let retry_after = spec.retry_after.at(now, Some(limits::TOKEN_RETRY_AFTER_SECONDS));
            if let Some(value) = retry_after.and_then(|(value, _)| HeaderValue::from_str(&value).ok()) {
                response.headers_mut().insert(header::RETRY_AFTER, value);
            }
            response
        }
    })
}

/// Never answers; the connection ends with the client, or with the sandbox.
async fn hang(shared: &Shared) -> Response {
    shared.shutdown.cancelled().await;
    reset()
}

/// Ends the connection without an answer: a body that fails at once makes hyper drop the connection before it has
/// written the status line. `a_reset_ends_the_connection_without_an_answer` in `tests/` holds it to that.
fn reset() -> Response {
    let failing =
        futures::stream::once(async { Err::<Bytes, _>(io::Error::from(io::ErrorKind::ConnectionReset)) });
    Body::from_stream(failing).into_response()
}
