//! What each scenario answers.

use std::io;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;
use serde_json::json;

use crate::aadsts::Aadsts;
use crate::answer::{GraphCall, Refusal};
use crate::breach::InFlight;
use crate::graph::Stop;
use crate::kind::{Call, Kind};
use crate::retry_after::RetryAfter;
use crate::scenario::Scope;
use crate::shared::Shared;
use crate::spec::Spec;
use crate::{answer, clock, limits};

const HTML_503: &str = "<!DOCTYPE HTML><html><head><title>Service Unavailable</title></head>\
    <body><h2>Service Unavailable</h2><hr><p>HTTP Error 503. The service is unavailable.</p></body></html>";

/// The scripts that hold for one call to Graph.
pub(crate) struct Script<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) call: &'a GraphCall,
    pub(crate) scope: &'a Scope<'a>,
    pub(crate) kind: Call,
    pub(crate) in_flight: Option<&'a InFlight>,
}

impl Script<'_> {
    /// What comes before the request is looked at: a delay, and a refusal if one is due.
    pub(crate) async fn pass(&self) -> Result<(), Stop> {
        sleep(self.shared.scenarios.delay(self.scope, self.kind, self.call.now)).await;
        let due = self.shared.scenarios.take_refusal(self.scope, self.kind, self.call.now);
        due.map_or(Ok(()), |spec| Err(self.refusal(&spec)))
    }

    fn refusal(&self, spec: &Spec) -> Stop {
        let unavailable = |code, message| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, code, message);
        let refusal = match spec.kind {
            Kind::Throttle => {
                let message = "Please retry again later.";
                let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message);
                self.delayed(refusal, spec, Some(limits::RETRY_AFTER_SECONDS))
            }
            Kind::Concurrency => self.delayed(Refusal::mailbox_concurrency(None), spec, None),
            Kind::Stale503 => {
                let message = "Target resource 'mailbox' is currently on backend 'Unknown'";
                self.delayed(unavailable("MailboxInfoStale", message), spec, None)
            }
            Kind::Answer if !spec.answer.code.is_empty() => {
                let answer = &spec.answer;
                let refusal = Refusal::new(answer.status, answer.code.clone(), answer.message.clone());
                self.delayed(refusal, spec, None)
            }
            Kind::RaopDenied => Refusal::raop_denied(),
            Kind::Answer => {
                let answer = &spec.answer;
                let plain = (answer.status, answer.message.clone());
                return self.plain(plain.into_response(), spec);
            }
            Kind::Html503 => {
                let page = (StatusCode::SERVICE_UNAVAILABLE, Html(HTML_503));
                return self.plain(page.into_response(), spec);
            }
            Kind::Plain413 => {
                let plain = (StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
                return self.plain(plain.into_response(), spec);
            }
            _ => return self.plain(StatusCode::INTERNAL_SERVER_ERROR.into_response(), spec),
        };
        Stop::Refused(refusal)
    }

    /// The scripted end of a call that passed every check.
    pub(crate) fn outcome(&self) -> Option<Spec> {
        self.shared.scenarios.take(self.scope, self.kind, self.call.now, Kind::is_outcome)
    }

    pub(crate) async fn play(&self, spec: &Spec) -> Result<Response, Refusal> {
        match spec.kind {
            Kind::Accepted => Ok(self.waiting(answer::accepted(), spec)),
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

    /// What is no answer of Graph's own.
    fn plain(&self, response: Response, spec: &Spec) -> Stop {
        Stop::Scripted(Box::new(self.waiting(response, spec)))
    }

    /// The response with its `Retry-After`, if one was asked for; it is remembered like any other.
    fn waiting(&self, response: Response, spec: &Spec) -> Response {
        let now = clock::now();
        let retry_after = spec.retry_after.at(now, None);
        if let (Some(in_flight), Some((_, until))) = (self.in_flight, &retry_after) {
            in_flight.pause(now, *until);
        }
        with_retry_after(response, retry_after)
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

/// An outage or a scripted refusal of the token endpoint, if one is due.
pub(crate) async fn token_outage(shared: &Shared, scope: &Scope<'_>) -> Result<Option<Response>, Aadsts> {
    sleep(shared.scenarios.delay(scope, Call::Token, clock::now())).await;
    let now = clock::now();
    let Some(spec) = shared.scenarios.take(scope, Call::Token, now, Kind::is_token_outage) else {
        return Ok(None);
    };
    let answer = &spec.answer;
    let response = match spec.kind {
        Kind::Answer if answer.aadsts == 0 && answer.error.is_empty() => {
            (answer.status, answer.message.clone()).into_response()
        }
        Kind::Answer if answer.aadsts == 0 => {
            let body = json!({"error": answer.error, "error_description": answer.message});
            (answer.status, Json(body)).into_response()
        }
        Kind::Answer => {
            let text = answer.message.clone();
            return Err(Aadsts::scripted(answer.aadsts, answer.status, &answer.error, text));
        }
        Kind::Html503 => (StatusCode::SERVICE_UNAVAILABLE, Html(HTML_503)).into_response(),
        Kind::Hang => return Ok(Some(hang(shared).await)),
        Kind::Reset => return Ok(Some(reset())),
        Kind::Empty500 => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        _ => (StatusCode::TOO_MANY_REQUESTS, "Too Many Requests").into_response(),
    };
    let throttles = matches!(spec.kind, Kind::Throttle | Kind::TokenPlain429);
    let unsaid = throttles.then_some(limits::TOKEN_RETRY_AFTER_SECONDS);
    Ok(Some(with_retry_after(response, spec.retry_after.at(now, unsaid))))
}

fn with_retry_after(mut response: Response, retry_after: Option<(String, Timestamp)>) -> Response {
    if let Some(value) = retry_after.and_then(|(value, _)| HeaderValue::from_str(&value).ok()) {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}

async fn sleep(delay: Duration) {
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
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
