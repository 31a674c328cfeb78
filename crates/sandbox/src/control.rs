//! What a test arranges and asks: `/sandbox/…`. Nothing of it exists at Microsoft.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use data_encoding::BASE64;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::body::{self, Received};
use crate::delivery::Delivery;
use crate::directory::{Directory, Known};
use crate::message::{Mail, Stored};
use crate::shared::{Shared, SharedState};
use crate::{clock, limits};

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/sandbox/messages", get(messages).delete(delete_messages))
        .route("/sandbox/limits", get(breaches))
        .route("/sandbox/scenarios", get(scenarios).post(post_scenario).delete(delete_scenarios))
        .route("/sandbox/directories", get(directories))
        .route("/sandbox/directories/{tenant_id}", put(put_directory))
        .route("/sandbox/mode", get(mode).put(put_mode))
}

/// A plain sentence for whoever wrote the request.
struct Wrong(StatusCode, String);

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        (self.0, self.1 + "\n").into_response()
    }
}

async fn messages(
    State(shared): SharedState,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, Wrong> {
    if let Some(unknown) =
        query.keys().find(|name| !["mailbox", "internet_message_id"].contains(&name.as_str()))
    {
        let sentence = format!("There is no filter '{unknown}'; there are mailbox and internet_message_id.");
        return Err(Wrong(StatusCode::BAD_REQUEST, sentence));
    }
    let bare = |id: &str| id.trim_matches(['<', '>']).to_owned();
    let mailbox = query.get("mailbox").map(|mailbox| mailbox.to_lowercase());
    let id = query.get("internet_message_id").map(|id| bare(id));
    let wanted = |stored: &Stored| {
        mailbox.as_ref().is_none_or(|mailbox| stored.mail.mailbox.to_lowercase() == *mailbox)
            && id.as_ref().is_none_or(|id| bare(&stored.mail.internet_message_id) == *id)
    };
    let now = clock::now();
    let messages: Vec<Value> =
        shared.mails.all().iter().filter(|stored| wanted(stored)).map(|stored| show(stored, now)).collect();
    Ok(Json(json!({"messages": messages})).into_response())
}

fn show(stored: &Stored, now: Timestamp) -> Value {
    let mail = &stored.mail;
    json!({
        "mailbox": mail.mailbox,
        "internet_message_id": mail.internet_message_id,
        "subject": mail.subject,
        "recipients": mail.recipients,
        "copies": stored.copies,
        "raw": BASE64.encode(&mail.raw),
        "time": mail.time.to_string(),
        "delivery": delivery(mail, now),
    })
}

/// What became of it by now: `pending`, `delivered` or `failed`, the last with whom it failed for and why.
fn delivery(mail: &Mail, now: Timestamp) -> Value {
    let Delivery { time, .. } = mail.delivery;
    let mut shown = json!({"status": mail.delivery.overall(now).name(), "time": time.to_string()});
    if let Some(bounce) = mail.delivery.bounced(now) {
        shown["failed_recipients"] = json!(bounce.recipients);
        shown["reason"] = json!(format!("550 {} {}", bounce.status, bounce.text));
    }
    shown
}

async fn delete_messages(State(shared): SharedState) -> StatusCode {
    shared.mails.clear();
    shared.drafts.clear();
    StatusCode::NO_CONTENT
}

async fn breaches(State(shared): SharedState) -> Json<Value> {
    let breaches: Vec<Value> = shared
        .breaches
        .all()
        .into_iter()
        .map(|(mailbox, limit, count)| json!({"mailbox": mailbox, "limit": limit.name(), "count": count}))
        .collect();
    Json(json!({"breaches": breaches}))
}

async fn scenarios(State(shared): SharedState) -> Json<Value> {
    Json(json!({"scenarios": shared.scenarios.list()}))
}

async fn post_scenario(State(shared): SharedState, body: Body) -> Result<StatusCode, Wrong> {
    let posted: Map<String, Value> = read(body).await?;
    shared.scenarios.post(posted).map_err(|sentence| Wrong(StatusCode::BAD_REQUEST, sentence))?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete_scenarios(State(shared): SharedState) -> StatusCode {
    shared.scenarios.clear();
    StatusCode::NO_CONTENT
}

/// Names only: what a directory was put with is the putter's own.
async fn directories(State(shared): SharedState) -> Json<Value> {
    let show = |known: &Arc<Known>| {
        let apps: Vec<&str> = known.directory.apps.iter().map(|app| app.client_id.as_str()).collect();
        let mailboxes: Vec<&str> =
            known.directory.mailboxes.iter().map(|mailbox| mailbox.address.as_str()).collect();
        json!({"name": known.name(), "tenant_id": known.tenant_id.to_string(), "apps": apps, "mailboxes": mailboxes})
    };
    let all: Vec<Value> = shared.directories.all().iter().map(show).collect();
    Json(json!({"directories": all}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mode {
    strict: bool,
}

async fn mode(State(shared): SharedState) -> Json<Value> {
    Json(json!({"strict": shared.is_strict()}))
}

async fn put_mode(State(shared): SharedState, body: Body) -> Result<StatusCode, Wrong> {
    let Mode { strict } = read(body).await?;
    shared.strict.store(strict, Ordering::Relaxed);
    Ok(StatusCode::NO_CONTENT)
}

async fn put_directory(
    State(shared): SharedState,
    Path(tenant_id): Path<String>,
    body: Body,
) -> Result<StatusCode, Wrong> {
    let directory: Directory = read(body).await?;
    let put = shared.directories.put(&tenant_id, directory);
    put.map_err(|reason| Wrong(StatusCode::BAD_REQUEST, format!("This directory cannot be put: {reason}.")))?;
    Ok(StatusCode::NO_CONTENT)
}

async fn read<T: serde::de::DeserializeOwned>(body: Body) -> Result<T, Wrong> {
    let bytes: Bytes = match body::read(body, limits::CONTROL_REQUEST_BYTES_MAX).await {
        Received::Whole(bytes) => bytes,
        Received::TooLarge => {
            let sentence = format!("The body is longer than {} bytes.", limits::CONTROL_REQUEST_BYTES_MAX);
            return Err(Wrong(StatusCode::PAYLOAD_TOO_LARGE, sentence));
        }
        Received::Broken => return Err(Wrong(StatusCode::BAD_REQUEST, "The body ended early.".to_owned())),
    };
    serde_json::from_slice(&bytes)
        .map_err(|error| Wrong(StatusCode::BAD_REQUEST, format!("The body cannot be read: {error}.")))
}
