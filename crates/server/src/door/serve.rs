//! Serving on a bound listener until the token fires, and not much longer.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::stream;
use postrider_domain::limits::{HEADER_BYTES_MAX, STREAMS_MAX};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Server;

use super::accept::Acceptor;
use super::connection::Ends;
use super::layer::DoorLayer;
use super::tls::{Certificates, Protocol};
use crate::access::AccessLayer;

/// How long calls in flight may go on after the token fired.
pub(super) const GRACE: Duration = Duration::from_secs(10);
/// How long a connection that was cut may take to notice.
const CUT_WAIT: Duration = Duration::from_secs(1);

/// Bytes of HTTP/2's preface, which every gRPC client sends first.
const PREFACE_BYTES: usize = 24;
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves gRPC behind the door and then access. Returns when all calls ended, and soon after `shutdown` in any case.
pub(crate) async fn serve_grpc(
    listener: TcpListener,
    routes: Routes,
    door: DoorLayer,
    access: AccessLayer,
    tls: Option<Arc<Certificates>>,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let cut = CancellationToken::new();
    let ends = Ends { shutdown: shutdown.clone(), cut: cut.clone() };
    let acceptor = Acceptor::new(listener, PREFACE_BYTES, tls.map(|tls| (tls, Protocol::Grpc)), ends);
    let incoming = stream::unfold(acceptor, |mut acceptor| async {
        let (connection, _) = acceptor.accept().await;
        Some((Ok::<_, io::Error>(connection), acceptor))
    });
    let serving = Server::builder()
        .max_concurrent_streams(STREAMS_MAX)
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .layer(door)
        .layer(access)
        .serve_with_incoming_shutdown(routes.prepare(), incoming, shutdown.clone().cancelled_owned());
    let serving = async { serving.await.map_err(io::Error::other) };
    within_grace(serving, shutdown, cut).await
}

/// Serves the HTTP pages, by the same rules.
pub(crate) async fn serve_http(
    listener: TcpListener,
    pages: axum::Router,
    tls: Option<Arc<Certificates>>,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let cut = CancellationToken::new();
    let ends = Ends { shutdown: shutdown.clone(), cut: cut.clone() };
    let acceptor = Acceptor::new(listener, 1, tls.map(|tls| (tls, Protocol::Http)), ends);
    let serving = axum::serve(acceptor, pages).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    within_grace(serving.into_future(), shutdown, cut).await
}

async fn within_grace(
    serving: impl Future<Output = io::Result<()>>,
    shutdown: CancellationToken,
    cut: CancellationToken,
) -> io::Result<()> {
    tokio::pin!(serving);
    let grace_over = async {
        shutdown.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        biased;
        served = &mut serving => return served,
        () = grace_over => {}
    }
    tracing::warn!(
        event = "calls_cut_off",
        grace_seconds = GRACE.as_secs(),
        "calls still in flight are cut off"
    );
    cut.cancel();
    tokio::time::timeout(CUT_WAIT, serving).await.unwrap_or(Ok(()))
}
