//! Graph, as far as a mailer goes: sendMail, drafts with attachments and upload sessions, reading back, message traces.
//!
//! | path after `/v1.0` | module |
//! | --- | --- |
//! | `/users/{m}/sendMail` | `send.rs` |
//! | `/users/{m}/messages`, `/messages/{id}`, `…/attachments`, `…/send` | `draft.rs`, `read.rs` |
//! | `…/createUploadSession`, and `/upload/{token}` | `upload.rs` |
//! | `/users/{m}/mailFolders/{folder}/messages` | `read.rs` |
//! | `/admin/exchange/tracing/messageTraces` | `trace.rs` |
//!
//! What every call on a mailbox passes first, in the order that docs/sandbox.md tells, is in `gate.rs`.

mod draft;
mod gate;
mod read;
mod representation;
mod send;
mod trace;
mod upload;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use axum::routing::{any, get};

use crate::answer::{GraphCall, Refusal};
use crate::clock;
use crate::listener::Peer;
use crate::shared::{Shared, SharedState};

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/v1.0/users/{mailbox}", any(of_mailbox))
        .route("/v1.0/users/{mailbox}/{*path}", any(of_mailbox))
        .route("/v1.0/admin/exchange/tracing/messageTraces", get(trace::list))
        .route("/v1.0/admin/exchange/tracing/messageTraces/{id}/{details}", get(trace::details))
        .route("/v1.0/{*path}", any(elsewhere))
        .route("/upload/{token}", any(upload::piece))
}

/// A call that has not been looked at.
struct Incoming {
    method: Method,
    headers: HeaderMap,
    body: Body,
    peer: SocketAddr,
    query: String,
}

/// Why a call goes no further: a refusal of Graph's, or a scripted answer.
pub(crate) enum Stop {
    Refused(Refusal),
    Scripted(Box<Response>),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Stop {
        Stop::Refused(refusal)
    }
}

type Answered = Result<Response, Stop>;

/// The mailbox of the path, and what goes on after it.
type MailboxPath = Result<Path<Vec<(String, String)>>, PathRejection>;

async fn of_mailbox(
    State(shared): SharedState,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    path: MailboxPath,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let call = GraphCall::new(&headers, clock::now());
    let query = uri.query().unwrap_or_default().to_owned();
    let incoming = Incoming { method, headers, body, peer, query };
    let answered = match path {
        Ok(Path(parts)) => {
            let part = |wanted: &str| parts.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
            let (mailbox, path) = (part("mailbox"), part("path"));
            let path = path.map(String::as_str).unwrap_or_default();
            at(&shared, &call, mailbox.map(String::as_str).unwrap_or_default(), path, incoming).await
        }
        Err(_) => Err(Refusal::bad_request("BadRequest", "The request URI is not valid.").into()),
    };
    finished(&call, answered)
}

async fn at(shared: &Shared, call: &GraphCall, mailbox: &str, path: &str, incoming: Incoming) -> Answered {
    let parts: Vec<&str> = path.split('/').collect();
    let lower: Vec<String> = parts.iter().map(|part| part.to_ascii_lowercase()).collect();
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    let is = |method: &Method| incoming.method == *method;
    match (lower.as_slice(), &incoming.method) {
        (["sendmail" | "microsoft.graph.sendmail"], &Method::POST) => {
            send::send_mail(shared, call, mailbox, incoming).await
        }
        (["messages"], &Method::POST) => draft::create(shared, call, mailbox, incoming).await,
        (["messages"], &Method::GET) => read::list(shared, call, mailbox, None, incoming).await,
        (["mailfolders", folder, "messages"], &Method::GET) => {
            read::list(shared, call, mailbox, Some(folder), incoming).await
        }
        (["messages", _], &Method::GET) => read::get(shared, call, mailbox, parts[1], incoming).await,
        (["messages", _], &Method::DELETE) => draft::delete(shared, call, mailbox, parts[1], incoming).await,
        (["messages", _, "send"], &Method::POST) => {
            draft::send(shared, call, mailbox, parts[1], incoming).await
        }
        (["messages", _, "attachments"], &Method::POST) => {
            draft::attach(shared, call, mailbox, parts[1], incoming).await
        }
        (["messages", _, "attachments"], &Method::GET) => {
            read::attachments(shared, call, mailbox, parts[1], incoming).await
        }
        (["messages", _, "attachments", session], &Method::POST)
            if ["createuploadsession", "microsoft.graph.createuploadsession"].contains(session) =>
        {
            upload::create(shared, call, mailbox, parts[1], incoming).await
        }
        ([""], &Method::GET) => read::user(shared, call, mailbox, &incoming),
        (["sendmail" | "microsoft.graph.sendmail" | "messages", ..], _) if !is(&Method::PATCH) => {
            let message = "Specified HTTP method is not allowed for the request target.";
            Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "Request_BadRequest", message).into())
        }
        _ => Err(not_served(path).into()),
    }
}

async fn elsewhere(headers: HeaderMap, uri: Uri) -> Response {
    let call = GraphCall::new(&headers, clock::now());
    let path = uri.path().trim_start_matches("/v1.0/");
    let refusal = if path == "me" || path.starts_with("me/") {
        Refusal::bad_request("BadRequest", "/me request is only valid with delegated authentication flow.")
    } else if path.starts_with("users/") || path.starts_with("$batch") {
        not_served(path)
    } else {
        let segment = path.split('/').next().unwrap_or_default();
        Refusal::bad_request("BadRequest", format!("Resource not found for the segment '{segment}'."))
    };
    finished(&call, Err(refusal.into()))
}

fn finished(call: &GraphCall, answered: Answered) -> Response {
    call.dress(match answered {
        Ok(response) => response,
        Err(Stop::Scripted(response)) => *response,
        Err(Stop::Refused(refusal)) => call.refuse(&refusal),
    })
}

fn not_served(path: &str) -> Refusal {
    let message = format!("'{path}' is not in this sandbox.");
    Refusal::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message)
}
