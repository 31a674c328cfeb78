//! What all handlers share: directories, stored mail, scenarios, counted breaches, and the word to stop.

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::HOST;
use tokio_util::sync::CancellationToken;

use crate::breach::Breaches;
use crate::directory::Directories;
use crate::message::Mails;
use crate::scenario::Scenarios;

pub(crate) type SharedState = axum::extract::State<Arc<Shared>>;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) directories: Directories,
    pub(crate) mails: Mails,
    pub(crate) scenarios: Scenarios,
    pub(crate) breaches: Breaches,
    /// Ends the calls that a `hang` scenario holds.
    pub(crate) shutdown: CancellationToken,
    /// `host:port`, for clients that send no Host header.
    pub(crate) authority: String,
}

impl Shared {
    /// The origin that the client spoke to, for the links in the discovery document.
    pub(crate) fn origin(&self, headers: &HeaderMap) -> String {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or(&self.authority);
        format!("http://{host}")
    }
}
