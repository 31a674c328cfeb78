//! Accepting: a place for each connection, and with TLS its handshake, which is in nobody's way but its client's.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use postrider_domain::limits::{CONNECTIONS_MAX, HANDSHAKES_MAX};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::either::Either;

use super::connection::{Connection, Ends, Stream};
use super::tls::{Certificates, Protocol};

/// How long a client may take for its TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// The pause after an error of accepting, such as too many open files, which only time mends.
const ERROR_PAUSE: Duration = Duration::from_millis(100);

pub(super) struct Acceptor {
    listener: TcpListener,
    places: Arc<Semaphore>,
    /// Bytes after which a client counts as speaking.
    greeting_bytes: usize,
    tls: Option<(Arc<Certificates>, Protocol)>,
    /// Dropped with the acceptor: at shutdown none is waited for.
    handshakes: JoinSet<Option<Accepted>>,
    ends: Ends,
}

/// A client that can be heard, and its place.
struct Accepted {
    stream: Stream,
    peer: SocketAddr,
    place: OwnedSemaphorePermit,
}

impl Acceptor {
    pub(super) fn new(
        listener: TcpListener,
        greeting_bytes: usize,
        tls: Option<(Arc<Certificates>, Protocol)>,
        ends: Ends,
    ) -> Self {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        Self { listener, places, greeting_bytes, tls, handshakes: JoinSet::new(), ends }
    }

    pub(super) async fn accept(&mut self) -> (Connection, SocketAddr) {
        let Accepted { stream, peer, place } = self.accepted().await;
        (Connection::new(stream, peer, self.greeting_bytes, &self.ends, place), peer)
    }

    async fn accepted(&mut self) -> Accepted {
        loop {
            let has_room = self.handshakes.len() < HANDSHAKES_MAX;
            tokio::select! {
                // None of it: the handshake failed or took too long.
                Some(done) = self.handshakes.join_next() => if let Ok(Some(accepted)) = done {
                    return accepted;
                },
                (stream, peer, place) = next(&self.listener, &self.places), if has_room => match &self.tls {
                    None => return Accepted { stream: Either::Left(stream), peer, place },
                    Some((certificates, protocol)) => {
                        let acceptor = certificates.acceptor(*protocol);
                        self.handshakes.spawn(shake_hands(acceptor, stream, peer, place));
                    }
                },
            }
        }
    }
}

/// May be dropped at any time: a connection is taken only where it is also given back.
async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    loop {
        let Ok(place) = Arc::clone(places).acquire_owned().await else {
            return std::future::pending().await;
        };
        match listener.accept().await {
            Ok((stream, peer)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(event = "connection_keeps_delay", %error, "a connection keeps its delay");
                }
                return (stream, peer, place);
            }
            Err(error) => {
                tracing::warn!(event = "connection_not_accepted", %error, "a connection was not accepted");
                tokio::time::sleep(ERROR_PAUSE).await;
            }
        }
    }
}

async fn shake_hands(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    peer: SocketAddr,
    place: OwnedSemaphorePermit,
) -> Option<Accepted> {
    let shaken = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream));
    match shaken.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(stream) => Some(Accepted { stream: Either::Right(Box::new(stream)), peer, place }),
        Err(error) => {
            tracing::debug!(event = "handshake_failed", %error, "a TLS handshake failed");
            None
        }
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
