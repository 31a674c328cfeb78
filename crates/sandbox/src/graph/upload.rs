//! Upload sessions: a file of 3 MB and more, in pieces of at most 4 MB, in order.
//!
//! The session's URL is itself the right to write. Whoever sends an access token with it gives the token away: in strict
//! mode that is refused.

use std::net::SocketAddr;

use axum::Json;
use axum::body::Body;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::draft::created_file;
use super::gate::{self, Needs};
use super::send::{empty, gone};
use super::{Answered, Incoming, Stop, finished};
use crate::answer::{GraphCall, Refusal};
use crate::body::{self, Received};
use crate::draft::{Grown, Piece, Upload};
use crate::file;
use crate::kind::Call;
use crate::listener::Peer;
use crate::scenario::Scope;
use crate::scripted::Script;
use crate::shared::{Shared, SharedState};
use crate::{clock, limits};

pub(super) async fn create(
    shared: &Shared,
    call: &GraphCall,
    address: &str,
    id: &str,
    incoming: Incoming,
) -> Answered {
    let entered = gate::enter(shared, call, address, Needs::ReadWrite, incoming).await?;
    let mailbox = entered.mailbox().ok_or_else(gone)?.address.clone();
    let item = file::read_attachment_item(&entered.body)?;
    if item.size < limits::UPLOAD_BYTES_MIN {
        let message = "The attachment size should not be less than the minimum size of an upload session.";
        return Err(Refusal::bad_request("ErrorAttachmentSizeShouldNotBeLessThanMinimumSize", message).into());
    }
    if item.size > limits::UPLOAD_BYTES_MAX {
        let message = "The attachment size exceeds the limit of 150 MB.";
        return Err(
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "ErrorAttachmentSizeLimitExceeded", message).into()
        );
    }
    let upload = shared.drafts.begin_upload(&entered.known, (&mailbox, id), item, call.now)?;
    let url =
        format!("{}/upload/{}?authtoken=eyJhbGciOiJub25lIn0", shared.origin(&entered.headers), upload.token);
    let body = json!({
        "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#microsoft.graph.uploadSession",
        "uploadUrl": url,
        "expirationDateTime": upload.until.to_string(),
        "nextExpectedRanges": ["0-"],
    });
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

/// `PUT` a piece, `GET` how far it is, `DELETE` the session.
pub(super) async fn piece(
    State(shared): SharedState,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    Path(token): Path<String>,
    method: Method,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let call = GraphCall::new(&headers, clock::now());
    finished(&call, of_session(&shared, &call, &token, (method, headers, body, peer)).await)
}

type Request = (Method, HeaderMap, Body, SocketAddr);

async fn of_session(shared: &Shared, call: &GraphCall, token: &str, request: Request) -> Answered {
    let (method, headers, body, peer) = request;
    let upload = shared.drafts.upload(token, call.now)?;
    if headers.contains_key(header::AUTHORIZATION) {
        tracing::warn!(mailbox = upload.mailbox, "an access token was sent to an upload URL");
        if shared.is_strict() {
            let message = "The upload URL is itself the credential: send no Authorization header.";
            return Err(Refusal::new(StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", message).into());
        }
    }
    let in_flight = shared.breaches.enter("upload", &upload.mailbox, peer, call.now);
    let known = shared.directories.find(&upload.tenant);
    let Some(known) = known else { return Err(gone().into()) };
    let scope = Scope { known: &known, mailbox: Some(&upload.mailbox) };
    let script = Script { shared, call, scope: &scope, kind: Call::Upload, in_flight: Some(&in_flight) };
    match method {
        Method::PUT => put(&script, &upload, &headers, body).await,
        Method::GET => {
            script.pass().await?;
            Ok(Json(stands(&upload)).into_response())
        }
        Method::DELETE => {
            shared.drafts.end_upload(token);
            Ok(empty(StatusCode::NO_CONTENT))
        }
        _ => {
            let message = "Specified HTTP method is not allowed for the request target.";
            Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "Request_BadRequest", message).into())
        }
    }
}

async fn put(script: &Script<'_>, upload: &Upload, headers: &HeaderMap, body: Body) -> Answered {
    let range = headers.get(header::CONTENT_RANGE).and_then(|value| value.to_str().ok());
    let range = range.and_then(Piece::read_range).ok_or_else(|| {
        Refusal::bad_request("ErrorInvalidRequest", "Content-Range must be as in 'bytes 0-99/1000'.")
    })?;
    let bytes = match body::read(body, limits::UPLOAD_PIECE_BYTES_MAX).await {
        Received::Whole(bytes) => bytes,
        Received::TooLarge => return Err(Refusal::too_large().into()),
        Received::Broken => {
            return Err(Refusal::bad_request("BadRequest", "The request body ended early.").into());
        }
    };
    script.pass().await?;
    let lost = script.outcome();
    if let Some(lost) = lost {
        if lost.delivered {
            script.shared.drafts.add_piece(&upload.token, &Piece { range, bytes })?;
        }
        return script.play(&lost).await.map_err(Stop::from);
    }
    match script.shared.drafts.add_piece(&upload.token, &Piece { range, bytes })? {
        Grown::More(upload) => Ok(Json(stands(&upload)).into_response()),
        Grown::Whole { file_id } => {
            let origin = script.shared.origin(headers);
            let at = (upload.mailbox.as_str(), upload.draft.as_str(), file_id.as_str());
            Ok(created_file(empty(StatusCode::CREATED), &origin, at))
        }
    }
}

fn stands(upload: &Upload) -> Value {
    json!({
        "expirationDateTime": upload.until.to_string(),
        "nextExpectedRanges": [upload.received.to_string()],
    })
}
