//! The bytes of one connection: a client that does not begin to speak, or says nothing but noise, is closed.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::{Connected, TcpConnectInfo};

use super::calls::Calls;
use super::client_names::client_names;
use super::cut::Cut;
use super::places::Place;
use crate::access::ClientNames;
use crate::metrics::Connections;

/// How long a client may take to begin speaking.
const GREETING_TIMEOUT: Duration = Duration::from_secs(5);

/// As it is, or within TLS.
pub(super) type Stream = Either<TcpStream, Box<TlsStream<TcpStream>>>;

pub(super) struct Connection {
    stream: Stream,
    peer: SocketAddr,
    /// Of the certificate that the client showed.
    names: Option<ClientNames>,
    /// Until the client has spoken.
    greeting: Option<Greeting>,
    calls: Calls,
    place: Place,
}

struct Greeting {
    bytes_left: usize,
    timeout: Pin<Box<Sleep>>,
    shutdown: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Connection {
    /// `greeting_bytes`: after them a client counts as speaking. Before, it is closed when `shutdown` fires.
    pub(super) fn new(
        stream: Stream,
        peer: SocketAddr,
        greeting_bytes: usize,
        shutdown: CancellationToken,
        place: Place,
    ) -> Self {
        let greeting = Greeting {
            bytes_left: greeting_bytes,
            timeout: Box::pin(tokio::time::sleep(GREETING_TIMEOUT)),
            shutdown: Box::pin(shutdown.cancelled_owned()),
        };
        let shown = match &stream {
            Stream::Left(_) => None,
            Stream::Right(stream) => stream.get_ref().1.peer_certificates().and_then(<[_]>::first),
        };
        let names = shown.map(client_names);
        Self { stream, peer, names, greeting: Some(greeting), calls: Calls::none(), place }
    }

    pub(super) fn names(&self) -> Option<ClientNames> {
        self.names.clone()
    }

    /// Those of its listener.
    pub(super) fn connections(&self) -> Connections {
        self.place.connections().clone()
    }

    pub(super) fn calls(&self) -> Calls {
        self.calls.clone()
    }
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        TcpConnectInfo { local_addr: None, remote_addr: Some(self.peer) }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let bytes = buffer.filled().len() - before;
        if self.calls.hears_noise(bytes) {
            self.place.connections().cut(Cut::ClientTooLoud);
            tracing::debug!(
                event = "client_too_loud",
                "a connection is cut: it is all pings, settings or the like"
            );
            return Poll::Ready(Err(ErrorKind::ConnectionAborted.into()));
        }
        if let Some(greeting) = &mut self.greeting {
            greeting.bytes_left = greeting.bytes_left.saturating_sub(bytes);
            if greeting.bytes_left == 0 {
                self.greeting = None;
            } else if read.is_pending() {
                let is_late = greeting.timeout.as_mut().poll(cx).is_ready();
                if is_late {
                    self.place.connections().cut(Cut::ClientSilent);
                    tracing::debug!(
                        event = "client_silent",
                        "a connection is cut: its client does not begin to speak"
                    );
                } else if greeting.shutdown.as_mut().poll(cx).is_pending() {
                    return read;
                }
                return Poll::Ready(Err(ErrorKind::TimedOut.into()));
            }
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.calls.written(written.is_pending());
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, buffers);
        self.calls.written(written.is_pending());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
