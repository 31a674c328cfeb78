//! The inbox page: what was "sent", to look at. A mail is a stranger's content: its text is escaped, its HTML is
//! shown in a sandboxed frame without scripts and without the network, its files are only ever downloads.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use mail_parser::MessageParser;

use crate::html::Markup;
use crate::message::Stored;
use crate::shared::{Shared, SharedState};
use crate::{attachment, clock, limits, page};

const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'self'";

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/", get(inbox))
        .route("/messages/{number}", get(mail))
        .route("/messages/{number}/raw", get(raw))
        .route("/messages/{number}/attachments/{index}", get(download))
}

async fn inbox(State(shared): SharedState) -> Response {
    let (newest, total) = shared.mails.newest(limits::INBOX_ROWS_MAX);
    show(StatusCode::OK, page::inbox(&newest, total, clock::now()))
}

async fn mail(State(shared): SharedState, Path(number): Path<String>) -> Response {
    match find(&shared, &number) {
        Some(stored) => show(StatusCode::OK, page::mail(&stored, clock::now())),
        None => not_found(),
    }
}

async fn raw(State(shared): SharedState, Path(number): Path<String>) -> Response {
    let Some(stored) = find(&shared, &number) else { return not_found() };
    let plain = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
    ];
    (plain, stored.mail.raw.clone()).into_response()
}

async fn download(State(shared): SharedState, Path((number, index)): Path<(String, usize)>) -> Response {
    let Some(stored) = find(&shared, &number) else { return not_found() };
    let message = MessageParser::default().parse(&stored.mail.raw);
    let part = message.as_ref().and_then(|message| message.attachments().nth(index));
    match part {
        Some(part) => attachment::download(&attachment::name(part, index), part.contents().to_vec()),
        None => not_found(),
    }
}

fn find(shared: &Shared, number: &str) -> Option<Stored> {
    shared.mails.get(number.parse().ok()?)
}

fn not_found() -> Response {
    show(StatusCode::NOT_FOUND, page::not_found())
}

pub(crate) fn show(status: StatusCode, page: Markup) -> Response {
    let mut response = (status, Html(page.into_string())).into_response();
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
