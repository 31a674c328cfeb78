//! The one HTTP client. It has no will of its own: no redirects, no silent retries, no proxy from the environment.
//!
//! A redirect would post the mail again, elsewhere; a retry would be an attempt that nobody wrote down. The pool may
//! take another connection for a request of which no byte left: that is still one request on the wire.
//!
//! HTTP/1.1 only: each call in flight has a connection of its own, so that one that breaks puts one call in doubt and
//! not all of them (docs/decisions/0010).

use std::convert::Infallible;
use std::error::Error as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use postrider_domain::limits;
use reqwest::{Certificate, Client, ClientBuilder, RequestBuilder, Response, redirect, retry, tls};

/// How long a connection may take to be made, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// An idle connection is dropped before the usual middlebox forgets it, and before Graph closes it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Idle connections kept to one host: as many as go on at once when many mailboxes are busy.
const IDLE_MAX: usize = 256;
/// Characters kept of a cause.
const CAUSE_CHARS_MAX: usize = 200;

const _: () = assert!(CONNECT_TIMEOUT.as_secs() < limits::TOKEN_TIMEOUT.as_secs());

#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("the extra CA file is not a PEM file with at least one certificate")]
    Ca(#[source] Option<reqwest::Error>),
    #[error("the HTTP client could not be made")]
    Client(#[source] reqwest::Error),
}

pub fn client(extra_ca_pem: Option<&[u8]>) -> Result<Client, SetupError> {
    let Some(pem) = extra_ca_pem else { return builder().build().map_err(SetupError::Client) };
    let certificates = Certificate::from_pem_bundle(pem).map_err(|error| SetupError::Ca(Some(error)))?;
    if certificates.is_empty() {
        return Err(SetupError::Ca(None));
    }
    builder().tls_certs_merge(certificates).build().map_err(SetupError::Client)
}

#[expect(clippy::disallowed_methods, reason = "the one place where a client is made")]
fn builder() -> ClientBuilder {
    Client::builder()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .no_proxy()
        .tls_backend_rustls()
        .tls_version_min(tls::Version::TLS_1_2)
        .user_agent(concat!("Postrider/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .http1_only()
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(IDLE_MAX)
        .tcp_nodelay(true)
}

/// Why no answer came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoAnswer {
    /// No byte of the request was written: it may be sent again without a thought.
    pub not_started: bool,
    /// `connect`, `dns`, `request`, `timeout` or `connection_lost`.
    pub failure: &'static str,
    /// What the operating system or TLS said. Holds neither URL nor content.
    pub cause: String,
}

impl NoAnswer {
    /// What cannot be proven not to have started may have arrived.
    fn of(error: &reqwest::Error, may_have_started: bool) -> Self {
        let (never, failure) = match error {
            e if e.is_builder() => (true, "request"),
            e if e.is_dns() => (true, "dns"),
            e if e.is_connect() => (true, "connect"),
            e if e.is_timeout() => (false, "timeout"),
            _ => (false, "connection_lost"),
        };
        let cause = causes(error).last().map(ToString::to_string).unwrap_or_default();
        Self { not_started: never || !may_have_started, failure, cause: shown(&cause, CAUSE_CHARS_MAX) }
    }
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(error.source(), |cause: &&(dyn std::error::Error + 'static)| (*cause).source())
}

/// A request without a body: nobody knows how far it got.
pub(crate) async fn send(request: RequestBuilder) -> Result<Response, NoAnswer> {
    request.send().await.map_err(|error| NoAnswer::of(&error, true))
}

/// A request whose body tells whether it was begun: the client takes the first of it when it has a connection and has
/// made up its head, and not before. A dead host is thus "not started", however short the call's own time.
pub(crate) async fn send_body(request: RequestBuilder, body: Bytes) -> Result<Response, NoAnswer> {
    // Nobody asks for an empty one.
    let begun = Arc::new(AtomicBool::new(body.is_empty()));
    let body = Told { rest: Some(body), begun: begun.clone() };
    let answer = request.body(reqwest::Body::wrap(body)).send().await;
    answer.map_err(|error| NoAnswer::of(&error, begun.load(Ordering::Acquire)))
}

/// A body that tells when it is asked for.
struct Told {
    rest: Option<Bytes>,
    begun: Arc<AtomicBool>,
}

impl Body for Told {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.begun.store(true, Ordering::Release);
        Poll::Ready(self.rest.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.as_ref().map_or(0, |rest| rest.len() as u64))
    }
}

/// As much of the body as came, up to a limit: what is missing then is no evidence, and the status stands.
pub(crate) async fn body(mut response: Response, bytes_max: usize) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = bytes_max - body.len();
        body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        if chunk.len() >= room {
            break;
        }
    }
    body
}

/// Text of another's, fit to be shown: one line, bounded.
pub(crate) fn shown(text: &str, chars_max: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(chars_max).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_file_without_a_certificate_is_refused() {
        assert!(matches!(client(Some(b"nothing")), Err(SetupError::Ca(_))));
        assert!(client(None).is_ok());
    }
}
