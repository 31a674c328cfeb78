//! Graph: `POST /v1.0/users/{mailbox}/sendMail`, as MIME or JSON.
//!
//! The checks run in the order of reference/microsoft.md §9: token, permission, size, mailbox, policy,
//! concurrency, content, right to the `from`, quota. A request counts against its mailbox from its arrival to its
//! answer. The rate is counted, not refused (`breach.rs`); scripted answers come where the real ones would.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::Response;
use axum::routing::any;

use crate::answer::{self, GraphCall, Refusal};
use crate::bearer::{self, Bearer};
use crate::body::{self, Received};
use crate::breach::InFlight;
use crate::directory::Mailbox;
use crate::message::Mail;
use crate::scenario::Scope;
use crate::scripted::{self, Script};
use crate::shared::{Shared, SharedState};
use crate::spec::{Call, Kind};
use crate::{clock, json, limits, mime, recipient};

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/v1.0/users/{mailbox}/{action}", any(user_action))
        .route("/v1.0/{*path}", any(elsewhere))
}

/// A call that has not been looked at.
struct Incoming {
    method: Method,
    headers: HeaderMap,
    body: Body,
    peer: SocketAddr,
}

async fn user_action(
    State(shared): SharedState,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    path: Result<Path<(String, String)>, PathRejection>,
    method: Method,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let call = GraphCall::new(&headers, clock::now());
    let incoming = Incoming { method, headers, body, peer };
    let result = match path {
        Ok(Path((mailbox, action))) if is_send_mail(&action) => {
            send_mail(&shared, &call, &mailbox, incoming).await
        }
        Ok(Path((_, action))) => Err(not_served(&action)),
        Err(_) => Err(Refusal::bad_request("BadRequest", "The request URI is not valid.")),
    };
    call.dress(result.unwrap_or_else(|refusal| call.refuse(&refusal)))
}

async fn elsewhere(headers: HeaderMap, uri: Uri) -> Response {
    let call = GraphCall::new(&headers, clock::now());
    let path = uri.path().trim_start_matches("/v1.0/");
    let refusal = if path == "me" || path.starts_with("me/") {
        Refusal::bad_request("BadRequest", "/me request is only valid with delegated authentication flow.")
    } else if path.starts_with("users/") {
        not_served(path)
    } else {
        let segment = path.split('/').next().unwrap_or_default();
        Refusal::bad_request("BadRequest", format!("Resource not found for the segment '{segment}'."))
    };
    call.dress(call.refuse(&refusal))
}

fn is_send_mail(action: &str) -> bool {
    action.eq_ignore_ascii_case("sendMail") || action.eq_ignore_ascii_case("microsoft.graph.sendMail")
}

fn not_served(path: &str) -> Refusal {
    Refusal::new(
        StatusCode::NOT_IMPLEMENTED,
        "NotImplemented",
        format!("'{path}' is not yet in this sandbox."),
    )
}

async fn send_mail(
    shared: &Shared,
    call: &GraphCall,
    address: &str,
    incoming: Incoming,
) -> Result<Response, Refusal> {
    if incoming.method != Method::POST || address.trim().is_empty() {
        let message = "Specified HTTP method is not allowed for the request target.";
        return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "Request_BadRequest", message));
    }
    let bearer = bearer::authorize(&incoming.headers, &shared.directories, call.now)?;
    let scope = Scope { known: &bearer.known, mailbox: Some(address) };
    permit(shared, &bearer, &scope, call)?;
    let mailbox = bearer.known.mailbox(address);
    let in_flight = mailbox.map(|mailbox| {
        shared.breaches.enter(&bearer.claims.appid, &mailbox.address, incoming.peer, call.now)
    });
    let body = receive(incoming.body).await?;
    let mailbox = mailbox.ok_or_else(|| {
        let message = format!("The requested user '{address}' is invalid.");
        Refusal::new(StatusCode::NOT_FOUND, "ErrorInvalidUser", message)
    })?;
    if !mailbox.licensed {
        let message = "The mailbox is either inactive, soft-deleted, or is hosted on-premise.";
        return Err(Refusal::new(StatusCode::NOT_FOUND, "MailboxNotEnabledForRESTAPI", message));
    }
    let script = Script { shared, call, scope: &scope, in_flight: in_flight.as_ref() };
    script.delay().await;
    if let Some(response) = script.refusal()? {
        return Ok(response);
    }
    if in_flight.as_ref().is_some_and(InFlight::is_over_limit) {
        return Err(script.throttled(Refusal::mailbox_concurrency(None), Some(scripted::one_second())));
    }
    let mail = read_mail(&incoming.headers, &body, mailbox, call)?;
    if shared.scenarios.take(&scope, Call::SendMail, call.now, |kind| kind == Kind::MailboxFull).is_some() {
        let message = "Mailbox has exceeded maximum mailbox size.";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "ErrorQuotaExceeded", message));
    }
    deliver(&script, mail).await
}

/// 401 for a token with no roles at all, 403 for one without the right role, unless Exchange grants it (RBAC).
fn permit(shared: &Shared, bearer: &Bearer, scope: &Scope<'_>, call: &GraphCall) -> Result<(), Refusal> {
    let granted_by_exchange =
        || shared.scenarios.take(scope, Call::SendMail, call.now, |kind| kind == Kind::RbacOnly).is_some();
    if bearer.claims.may_send_mail() || granted_by_exchange() {
        return Ok(());
    }
    Err(if bearer.claims.roles.is_empty() { bearer::no_permissions() } else { Refusal::access_denied() })
}

async fn receive(body: Body) -> Result<Bytes, Refusal> {
    match body::read(body, limits::GRAPH_REQUEST_BYTES_MAX).await {
        Received::Whole(bytes) => Ok(bytes),
        Received::TooLarge => Err(Refusal::too_large()),
        Received::Broken => Err(Refusal::bad_request("BadRequest", "The request body ended early.")),
    }
}

fn read_mail(
    headers: &HeaderMap,
    body: &Bytes,
    mailbox: &Mailbox,
    call: &GraphCall,
) -> Result<Mail, Refusal> {
    let content_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let mail = match essence.as_str() {
        "text/plain" => mime::read(body, mailbox, call.now)?,
        "application/json" => json::read(body, mailbox, call.now)?,
        _ => {
            let message = "Content-Type must be application/json, or text/plain for MIME content.";
            return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message));
        }
    };
    recipient::check(&mail.recipients)?;
    if let Some(from) = mail.claimed_from.as_ref().filter(|from| !may_send_as(mailbox, from)) {
        tracing::info!(from, mailbox = mailbox.address, "no right to send as");
        let message = "The user account which was used to submit this request does not have the right to send mail on \
                       behalf of the specified sending account. Cannot submit message.";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "ErrorSendAsDenied", message));
    }
    Ok(mail)
}

fn may_send_as(mailbox: &Mailbox, from: &str) -> bool {
    let mut allowed = mailbox.send_as.iter().chain([&mailbox.address]);
    allowed.any(|address| address.to_lowercase() == from.to_lowercase())
}

/// Stores the mail and says 202, unless a script has another end for it.
async fn deliver(script: &Script<'_>, mail: Mail) -> Result<Response, Refusal> {
    let outcome = script.outcome();
    if outcome.as_ref().is_none_or(|outcome| outcome.delivered) {
        script.shared.breaches.accepted(&mail.mailbox, script.call.now);
        tracing::info!(mailbox = mail.mailbox, message_id = mail.internet_message_id, "mail accepted");
        script.shared.mails.store(mail);
    }
    match outcome {
        None => Ok(answer::accepted()),
        Some(outcome) => script.play(outcome.kind).await,
    }
}
