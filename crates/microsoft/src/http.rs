//! The one HTTP client. It has no will of its own: no redirects, no silent retries, no proxy from the environment.
//!
//! A redirect would post the mail again, elsewhere; a retry would be an attempt that nobody wrote down. The pool may
//! take another connection for a request of which no byte left: that is still one request on the wire.

use std::error::Error as _;
use std::time::Duration;

use postrider_domain::limits;
use reqwest::{Certificate, Client, ClientBuilder, RequestBuilder, Response, redirect, retry, tls};

/// How long a connection may take to be made, TLS included. Less than any call's own limit, so that a dead host is
/// "not started" and not "in doubt".
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// An idle connection is dropped before the usual middlebox forgets it.
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);
/// A connection with calls in flight is asked for a sign of life.
const PING_INTERVAL: Duration = Duration::from_secs(15);
const PING_TIMEOUT: Duration = Duration::from_secs(15);
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

pub(crate) fn client(extra_ca_pem: Option<&[u8]>) -> Result<Client, SetupError> {
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
        .pool_idle_timeout(IDLE_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(PING_INTERVAL)
        .http2_keep_alive_timeout(PING_TIMEOUT)
}

/// Why no answer came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoAnswer {
    /// No byte of the request was taken: it may be sent again without a thought.
    pub not_started: bool,
    /// `connect`, `dns`, `request`, `refused_stream`, `timeout` or `connection_lost`.
    pub failure: &'static str,
    /// What the operating system or TLS said. Holds neither URL nor content.
    pub cause: String,
}

impl NoAnswer {
    /// What cannot be proven not to have started may have arrived.
    fn of(error: &reqwest::Error) -> Self {
        let (not_started, failure) = match error {
            e if e.is_builder() => (true, "request"),
            e if e.is_dns() => (true, "dns"),
            e if e.is_connect() => (true, "connect"),
            e if is_refused_stream(e) => (true, "refused_stream"),
            e if e.is_timeout() => (false, "timeout"),
            _ => (false, "connection_lost"),
        };
        let cause = causes(error).last().map(ToString::to_string).unwrap_or_default();
        Self { not_started, failure, cause: shown(&cause, CAUSE_CHARS_MAX) }
    }
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(error.source(), |cause: &&(dyn std::error::Error + 'static)| (*cause).source())
}

/// HTTP/2's REFUSED_STREAM from the other side: RFC 9113 §8.7 promises that nothing was processed.
///
/// Told by h2's `Debug`, because its type is not ours to name; `a_refused_stream_never_started` holds it.
fn is_refused_stream(error: &reqwest::Error) -> bool {
    causes(error).last().is_some_and(|cause| format!("{cause:?}").ends_with("REFUSED_STREAM, Remote) }"))
}

pub(crate) async fn send(request: RequestBuilder) -> Result<Response, NoAnswer> {
    request.send().await.map_err(|error| NoAnswer::of(&error))
}

/// As much of the body as came, up to the limit: what is missing then is no evidence, and the status stands.
pub(crate) async fn body(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = limits::ANSWER_BYTES_MAX - body.len();
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
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    const HEADERS: u8 = 1;
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    /// RST_STREAM on stream 1 with error code 7, REFUSED_STREAM, and with 2, INTERNAL_ERROR.
    const REFUSED: [u8; 13] = [0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 7];
    const BROKEN: [u8; 13] = [0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 2];

    /// An HTTP/2 server that resets the first stream as soon as its head has come.
    async fn resets(mut stream: TcpStream, reset: [u8; 13]) -> std::io::Result<()> {
        stream.read_exact(&mut [0; 24]).await?;
        stream.write_all(&SETTINGS).await?;
        loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head).await?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            stream.read_exact(&mut vec![0; length]).await?;
            if head[3] == HEADERS {
                stream.write_all(&reset).await?;
            }
        }
    }

    async fn answer_to(reset: [u8; 13]) -> NoAnswer {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let server = tokio::spawn(async move { resets(listener.accept().await?.0, reset).await });
        let client = builder().http2_prior_knowledge().build().expect("a client");
        let answer = send(client.post(url).body("x")).await.expect_err("no answer");
        server.abort();
        answer
    }

    #[tokio::test]
    async fn a_refused_stream_never_started() {
        let refused = answer_to(REFUSED).await;
        assert!(refused.not_started, "{refused:?}");
        assert_eq!(refused.failure, "refused_stream");
    }

    #[tokio::test]
    async fn a_stream_reset_otherwise_may_have_started() {
        let broken = answer_to(BROKEN).await;
        assert!(!broken.not_started, "{broken:?}");
    }

    #[test]
    fn a_ca_file_without_a_certificate_is_refused() {
        assert!(matches!(client(Some(b"nothing")), Err(SetupError::Ca(_))));
        assert!(client(None).is_ok());
    }
}
