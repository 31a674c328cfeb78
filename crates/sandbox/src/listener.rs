//! Where connections come in: plain, or through TLS. A handshake that takes its time holds up nobody else.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::limits;

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

impl Connected<IncomingStream<'_, Doors>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Doors>) -> Peer {
        Peer(*stream.remote_addr())
    }
}

type Shaken = Option<(Door, SocketAddr)>;

pub(crate) struct Doors {
    tcp: TcpListener,
    tls: Option<TlsAcceptor>,
    shaking: FuturesUnordered<BoxFuture<'static, Shaken>>,
}

/// An open connection.
pub(crate) enum Door {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Doors {
    pub(crate) fn new(tcp: TcpListener, tls: Option<TlsAcceptor>) -> Doors {
        Doors { tcp, tls, shaking: FuturesUnordered::new() }
    }

    async fn accept_tcp(tcp: &mut TcpListener) -> (TcpStream, SocketAddr) {
        let (stream, peer) = Listener::accept(tcp).await;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        (stream, peer)
    }
}

impl Listener for Doors {
    type Io = Door;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Door, SocketAddr) {
        loop {
            let Some(tls) = self.tls.clone() else {
                let (stream, peer) = Doors::accept_tcp(&mut self.tcp).await;
                return (Door::Plain(stream), peer);
            };
            let has_room = self.shaking.len() < limits::HANDSHAKES_MAX;
            tokio::select! {
                (stream, peer) = Doors::accept_tcp(&mut self.tcp), if has_room => {
                    self.shaking.push(Box::pin(shake(tls, stream, peer)));
                }
                Some(shaken) = self.shaking.next() => {
                    if let Some(shaken) = shaken {
                        return shaken;
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

async fn shake(tls: TlsAcceptor, stream: TcpStream, peer: SocketAddr) -> Shaken {
    let shaken = tokio::time::timeout(limits::HANDSHAKE_TIME, tls.accept(stream)).await.ok()?;
    match shaken {
        Ok(stream) => Some((Door::Tls(Box::new(stream)), peer)),
        Err(error) => {
            tracing::info!(%error, %peer, "no TLS with this client: does it trust the sandbox's certificate authority?");
            None
        }
    }
}

impl AsyncRead for Door {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Door::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Door::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Door {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Door::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Door::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Door::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Door::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Door::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Door::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }
}
