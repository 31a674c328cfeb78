//! Accepting: a place for each connection, and with TLS its handshake, which is in nobody's way but its client's.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use postrider_domain::limits::HANDSHAKES_MAX;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;

use super::connection::{Connection, Stream};
use super::cut::Cut;
use super::places::{Place, Places};
use super::tls::{Certificates, Protocol};
use crate::config::Limits;
use crate::metrics::Connections;

/// How long a client may take for its TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of HTTP/2's preface, which every gRPC client sends first.
const PREFACE_BYTES: usize = 24;
/// The pause after an error of accepting, such as too many open files, which only time mends.
const ERROR_PAUSE: Duration = Duration::from_millis(100);

pub(super) struct Acceptor {
    listener: TcpListener,
    places: Places,
    protocol: Protocol,
    tls: Option<Arc<Certificates>>,
    /// Dropped with the acceptor: at shutdown none is waited for.
    handshakes: JoinSet<Option<Accepted>>,
    shutdown: CancellationToken,
}

/// A client that can be heard, and its place.
struct Accepted {
    stream: Stream,
    peer: SocketAddr,
    place: Place,
}

impl Acceptor {
    pub(super) fn new(
        listener: TcpListener,
        limits: Limits,
        connections: Connections,
        protocol: Protocol,
        tls: Option<Arc<Certificates>>,
        shutdown: CancellationToken,
    ) -> Self {
        let (places, handshakes) = (Places::new(limits, connections), JoinSet::new());
        Self { listener, places, protocol, tls, handshakes, shutdown }
    }

    /// May be dropped at any time.
    pub(super) async fn accept(&mut self) -> Connection {
        let Accepted { stream, peer, place } = self.accepted().await;
        let greeting_bytes = match self.protocol {
            Protocol::Grpc => PREFACE_BYTES,
            Protocol::Http => 1,
        };
        Connection::new(stream, peer, greeting_bytes, self.shutdown.clone(), place)
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
                    Some(certificates) => {
                        let acceptor = certificates.acceptor(self.protocol);
                        self.handshakes.spawn(shake_hands(acceptor, stream, peer, place));
                    }
                },
            }
        }
    }
}

/// May be dropped at any time: a connection is taken only where it is also given back.
async fn next(listener: &TcpListener, places: &Places) -> (TcpStream, SocketAddr, Place) {
    loop {
        let free = places.free().await;
        match listener.accept().await {
            Ok((stream, peer)) => {
                let Some(place) = places.take(free, peer.ip()) else {
                    tracing::debug!(
                        event = "address_has_too_many",
                        "a connection is closed: its address has as many as it may"
                    );
                    continue;
                };
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
    place: Place,
) -> Option<Accepted> {
    let _goes_on = place.connections().shakes_hands();
    let shaken = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream));
    match shaken.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(stream) => Some(Accepted { stream: Either::Right(Box::new(stream)), peer, place }),
        Err(error) => {
            place.connections().cut(Cut::HandshakeFailed);
            tracing::debug!(event = "handshake_failed", %error, "a TLS handshake failed");
            None
        }
    }
}
