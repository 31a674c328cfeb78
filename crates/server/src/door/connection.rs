//! One connection: when it is closed that does not end by itself.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Sleep;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::{Connected, TcpConnectInfo};

/// How long a client may take to begin speaking.
const GREETING_TIMEOUT: Duration = Duration::from_secs(5);

/// As it is, or within TLS.
pub(super) type Stream = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// When connections end that do not end by themselves.
#[derive(Clone)]
pub(super) struct Ends {
    /// Fires when no more is taken on: whoever has not begun to speak is closed.
    pub(super) shutdown: CancellationToken,
    /// Fires when the grace is over: all are closed.
    pub(super) cut: CancellationToken,
}

pub(super) struct Connection {
    stream: Stream,
    peer: SocketAddr,
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

impl Connection {
    pub(super) fn new(
        stream: Stream,
        peer: SocketAddr,
        greeting_bytes: usize,
        ends: &Ends,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let greeting = Greeting {
            bytes_left: greeting_bytes,
            timeout: Box::pin(tokio::time::sleep(GREETING_TIMEOUT)),
            shutdown: Box::pin(ends.shutdown.clone().cancelled_owned()),
        };
        let cut = Box::pin(ends.cut.clone().cancelled_owned());
        Self { stream, peer, greeting: Some(greeting), cut, _place: place }
    }

    fn is_cut(&mut self, cx: &mut Context<'_>) -> bool {
        self.cut.as_mut().poll(cx).is_ready()
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
        if self.is_cut(cx) {
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
        if self.is_cut(cx) {
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
        if self.is_cut(cx) {
            return Poll::Ready(Err(ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.stream).poll_write_vectored(cx, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
