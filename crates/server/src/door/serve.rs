//! Serving on a bound listener until the token fires, and not much longer.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use postrider_domain::limits::{HEADER_BYTES_MAX, STREAMS_MAX, WINDOW_BYTES};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::server::{Connected as _, TcpConnectInfo};
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt as _, service_fn};

use super::accept::Acceptor;
use super::calls::Answer;
use super::connection::Connection;
use super::cut::Cut;
use super::layer::DoorLayer;
use super::paced::Paced;
use super::tls::{Certificates, Protocol};
use crate::access::AccessLayer;
use crate::config::Limits;
use crate::metrics::Connections;

/// How long calls in flight may go on after the token fired.
pub(super) const GRACE: Duration = Duration::from_secs(10);
/// How long a connection that was cut may take to notice.
const CUT_WAIT: Duration = Duration::from_secs(1);

/// A client is asked whether it is there, and how long it may take to say so.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Streams that a client has taken back and that were not seen to yet: more than that end the connection.
const RESETS_MAX: usize = 20;
/// How long the head of an HTTP request may take, and how long such a connection waits for the next one.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection is told to go after about this, so that replicas that are added get their part; its calls may go on for a while.
pub(super) const AGE: Duration = Duration::from_mins(30);
const AGE_SPREAD_SECONDS: u16 = 300;
const AGE_GRACE: Duration = Duration::from_mins(5);
/// A connection without calls is told to go after this.
pub(super) const QUIET: Duration = Duration::from_mins(10);
/// How often that is looked at, and whether answers are read.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Streams that are open for as long as their client likes.
const REFLECTION: &str = "/grpc.reflection.";

/// A bound listener, and what holds for all that comes over it.
pub(crate) struct Listening {
    pub(crate) listener: TcpListener,
    pub(crate) tls: Option<Arc<Certificates>>,
    pub(crate) limits: Limits,
    pub(crate) connections: Connections,
    pub(crate) shutdown: CancellationToken,
}

/// What answers the requests of a listener, whichever protocol it speaks.
type Service = BoxCloneSyncService<Request<Paced>, Response<Body>, Infallible>;

/// Serves gRPC behind the door and then access. Returns when all calls ended, and soon after the token in any case.
pub(crate) async fn serve_grpc(
    listening: Listening,
    routes: Routes,
    door: DoorLayer,
    access: AccessLayer,
) -> io::Result<()> {
    let service = door
        .layer(access.layer(routes.prepare()))
        .map_request(|request: Request<Paced>| request.map(tonic::body::Body::new))
        .map_response(|answer: Response<tonic::body::Body>| answer.map(Body::new));
    serve(listening, Protocol::Grpc, Service::new(service)).await
}

/// Serves the HTTP pages, by the same rules.
pub(crate) async fn serve_http(listening: Listening, pages: axum::Router) -> io::Result<()> {
    let service = pages.map_request(|request: Request<Paced>| request.map(Body::new));
    serve(listening, Protocol::Http, Service::new(service)).await
}

async fn serve(listening: Listening, protocol: Protocol, service: Service) -> io::Result<()> {
    let Listening { listener, tls, limits, connections, shutdown } = listening;
    let mut conversations = JoinSet::new();
    let mut acceptor = Acceptor::new(listener, limits, connections, protocol, tls, shutdown.clone());
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            connection = acceptor.accept() => {
                let (service, shutdown) = (service.clone(), shutdown.clone());
                conversations.spawn(converse(connection, protocol, service, shutdown));
            }
            Some(_) = conversations.join_next() => {}
        }
    }
    // Whoever comes now is told by the system that nobody listens.
    drop(acceptor);
    let all = async { while conversations.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, all).await.is_err() {
        tracing::warn!(
            event = "calls_cut_off",
            grace_seconds = GRACE.as_secs(),
            "calls still in flight are cut off"
        );
        drop(tokio::time::timeout(CUT_WAIT, conversations.shutdown()).await);
    }
    Ok(())
}

/// All that is said on one connection.
async fn converse(connection: Connection, protocol: Protocol, service: Service, shutdown: CancellationToken) {
    let (calls, info, names) = (connection.calls(), connection.connect_info(), connection.names());
    let (connections, age) = (connection.connections(), AGE + spread(&info));
    let answering = {
        let calls = calls.clone();
        service_fn(move |request: Request<Incoming>| {
            let (service, call, info) = (service.clone(), calls.begin(), info.clone());
            let names = names.clone();
            let pace = (!request.uri().path().starts_with(REFLECTION)).then(|| calls.clone());
            async move {
                let mut request = request.map(|body| Paced::of(body, pace));
                request.extensions_mut().insert(info);
                if let Some(names) = names {
                    request.extensions_mut().insert(names);
                }
                let answer = service.oneshot(request).await?;
                Ok::<_, Infallible>(answer.map(|body| Answer::of(call, body)))
            }
        })
    };
    let builder = builder(protocol);
    let mut conversation =
        pin!(builder.serve_connection(TokioIo::new(connection), TowerToHyperService::new(answering)));
    let mut end = pin!(tokio::time::sleep(age));
    let mut look = tokio::time::interval(LOOK_EVERY);
    let mut is_leaving = false;
    loop {
        let leaves = tokio::select! {
            ended = &mut conversation => {
                if let Err(error) = ended {
                    tracing::debug!(event = "connection_broke", error, "a connection broke");
                }
                return;
            }
            () = shutdown.cancelled(), if !is_leaving => true,
            () = &mut end => {
                if is_leaving {
                    return;
                }
                true
            }
            _ = look.tick() => {
                calls.look();
                if calls.are_unread() {
                    connections.cut(Cut::AnswerNotRead);
                    tracing::debug!(event = "answer_not_read", "a connection is cut: its client does not read");
                    return;
                }
                !is_leaving && calls.quiet_for().is_some_and(|quiet| quiet > QUIET)
            }
        };
        if leaves {
            conversation.as_mut().graceful_shutdown();
            end.as_mut().reset(Instant::now() + AGE_GRACE);
            is_leaving = true;
        }
    }
}

/// So that connections that came together do not go together.
fn spread(info: &TcpConnectInfo) -> Duration {
    let port = info.remote_addr().map_or(0, |address| address.port());
    Duration::from_secs(u64::from(port % AGE_SPREAD_SECONDS))
}

fn builder(protocol: Protocol) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    match protocol {
        Protocol::Grpc => {
            builder = builder.http2_only();
            builder
                .http2()
                .timer(TokioTimer::new())
                .max_concurrent_streams(STREAMS_MAX)
                .max_header_list_size(HEADER_BYTES_MAX)
                .initial_stream_window_size(WINDOW_BYTES)
                .initial_connection_window_size(WINDOW_BYTES)
                .keep_alive_interval(KEEPALIVE_INTERVAL)
                .keep_alive_timeout(KEEPALIVE_TIMEOUT)
                .max_pending_accept_reset_streams(RESETS_MAX);
        }
        Protocol::Http => {
            builder = builder.http1_only();
            builder
                .http1()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .max_buf_size(HEADER_BYTES_MAX as usize);
        }
    }
    builder
}
