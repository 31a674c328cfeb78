//! Accepting connections, each with a deadline for its first bytes and an end that can be forced.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info;
use axum::serve::IncomingStream;
use postrider_domain::limits::CONNECTIONS_MAX;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::{Connected, TcpConnectInfo};

/// How long a client may take to begin speaking.
const GREETING_TIMEOUT: Duration = Duration::from_secs(5);
/// The pause after an error of accepting, such as too many open files, which only time mends.
const ERROR_PAUSE: Duration = Duration::from_millis(100);

/// When connections end that do not end by themselves.
#[derive(Clone)]
pub(super) struct Ends {
    /// Fires when no more is taken on: whoever has not begun to speak is closed.
    pub(super) shutdown: CancellationToken,
    /// Fires when the grace is over: all are closed.
    pub(super) cut: CancellationToken,
}

pub(super) struct Acceptor {
    listener: TcpListener,
    places: Arc<Semaphore>,
    /// Bytes after which a client counts as speaking.
    greeting_bytes: usize,
    ends: Ends,
}

impl Acceptor {
    pub(super) fn new(listener: TcpListener, greeting_bytes: usize, ends: Ends) -> Self {
        Self { listener, places: Arc::new(Semaphore::new(CONNECTIONS_MAX)), greeting_bytes, ends }
    }

    pub(super) async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            let Ok(place) = self.places.clone().acquire_owned().await else {
                return std::future::pending().await;
            };
            match self.listener.accept().await {
                Ok((stream, peer)) => return (self.connection(stream, place), peer),
                Err(error) => {
                    tracing::warn!(event = "connection_not_accepted", %error, "a connection was not accepted");
                    tokio::time::sleep(ERROR_PAUSE).await;
                }
            }
        }
    }

    fn connection(&self, stream: TcpStream, place: OwnedSemaphorePermit) -> Connection {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(event = "connection_keeps_delay", %error, "a connection keeps its delay");
        }
        let greeting = Greeting {
            bytes_left: self.greeting_bytes,
            timeout: Box::pin(tokio::time::sleep(GREETING_TIMEOUT)),
            shutdown: Box::pin(self.ends.shutdown.clone().cancelled_owned()),
        };
        let cut = Box::pin(self.ends.cut.clone().cancelled_owned());
        Connection { stream, greeting: Some(greeting), cut, _place: place }
    }
}

impl axum::serve::Listener for Acceptor {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        Acceptor::accept(self).await
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// From where an HTTP connection comes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub IpAddr);

impl connect_info::Connected<IncomingStream<'_, Acceptor>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Acceptor>) -> Self {
        Self(stream.remote_addr().ip())
    }
}

pub(super) struct Connection {
    stream: TcpStream,
    /// Until the client has spoken.
    greeting: Option<Greeting>,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    _place: OwnedSemaphorePermit,
}

struct Greeting {
    bytes_left: usize,
    timeout: Pin<Box<Sleep>>,
    shutdown: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Greeting {
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        self.timeout.as_mut().poll(cx).is_ready() || self.shutdown.as_mut().poll(cx).is_ready()
    }
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.cut.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(ErrorKind::ConnectionAborted.into()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if let Some(greeting) = &mut self.greeting {
            greeting.bytes_left = greeting.bytes_left.saturating_sub(buffer.filled().len() - before);
            if greeting.bytes_left == 0 {
                self.greeting = None;
            } else if read.is_pending() && greeting.is_over(cx) {
                return Poll::Ready(Err(ErrorKind::TimedOut.into()));
            }
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.cut.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
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
        if self.cut.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.stream).poll_write_vectored(cx, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
