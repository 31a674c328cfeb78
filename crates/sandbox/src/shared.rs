//! What all handlers share: directories, mail, drafts, scenarios, counted breaches, and the word to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::HeaderMap;
use axum::http::header::HOST;
use tokio_util::sync::CancellationToken;

use crate::breach::Breaches;
use crate::delivery::Pace;
use crate::directory::Directories;
use crate::draft::Drafts;
use crate::message::Mails;
use crate::rewrite::Headers;
use crate::scenario::Scenarios;
use crate::traced::Traced;

pub(crate) type SharedState = axum::extract::State<Arc<Shared>>;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) directories: Directories,
    pub(crate) mails: Mails,
    pub(crate) drafts: Drafts,
    pub(crate) scenarios: Scenarios,
    pub(crate) breaches: Breaches,
    pub(crate) headers: Headers,
    pub(crate) pace: Pace,
    pub(crate) traced: Traced,
    /// Ends the calls that a `hang` scenario holds.
    pub(crate) shutdown: CancellationToken,
    /// `host:port`, for clients that send no Host header.
    pub(crate) authority: String,
    /// `https`, or `http`.
    pub(crate) scheme: &'static str,
    pub(crate) strict: AtomicBool,
}

impl Shared {
    /// The origin that the client spoke to, for the links in the discovery document.
    pub(crate) fn origin(&self, headers: &HeaderMap) -> String {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or(&self.authority);
        format!("{}://{host}", self.scheme)
    }

    /// Whether it is as hard as Microsoft where it would otherwise only count.
    pub(crate) fn is_strict(&self) -> bool {
        self.strict.load(Ordering::Relaxed)
    }
}
