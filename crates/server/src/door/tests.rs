//! What the transport refuses, in our words; and that nobody holds up the end.

use std::sync::Arc;

use futures::future::BoxFuture;
use http::{Request, Response};
use postrider_domain::TestClock;
use postrider_proto::v1::access_service_server::{AccessService, AccessServiceServer};
use postrider_proto::v1::{
    CreateKeyRequest, CreateKeyResponse, ListAuditEventsRequest, ListAuditEventsResponse, ListKeysRequest,
    ListKeysResponse, RevokeKeyRequest, RevokeKeyResponse,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use tower::{Layer, ServiceExt};

use super::*;
use crate::access::{Access, AccessLayer, refusals, tests as access_tests};
use crate::config::Limits;
use crate::metrics::Metrics;
use crate::status::{CallId, Refusal};

mod bounds;
mod tls;

/// Refuses with our details, so that whatever comes without them is tonic's.
struct Handlers;

type Answer<T> = Result<tonic::Response<T>, Status>;

#[tonic::async_trait]
impl AccessService for Handlers {
    async fn create_key(&self, _: tonic::Request<CreateKeyRequest>) -> Answer<CreateKeyResponse> {
        Err(Refusal::AccessDenied.into_status(CallId::fresh()))
    }

    async fn list_keys(&self, request: tonic::Request<ListKeysRequest>) -> Answer<ListKeysResponse> {
        assert!(request.extensions().get::<CallId>().is_some(), "the call has no id");
        Ok(ListKeysResponse::default().into())
    }

    async fn revoke_key(&self, _: tonic::Request<RevokeKeyRequest>) -> Answer<RevokeKeyResponse> {
        Ok(RevokeKeyResponse::default().into())
    }

    async fn list_audit_events(
        &self,
        _: tonic::Request<ListAuditEventsRequest>,
    ) -> Answer<ListAuditEventsResponse> {
        Ok(ListAuditEventsResponse::default().into())
    }
}

const LIMIT_BYTES: usize = 1_000;

fn limits() -> Limits {
    Limits {
        message_bytes: LIMIT_BYTES,
        queued_messages: 1,
        queued_bytes: 1,
        queued_messages_per_reseller: 1,
        queued_bytes_per_reseller: 1,
        connections: 200,
        connections_per_address: 150,
        request_bytes: 4 * 1024 * 1024,
        calls_per_second_per_caller: 0,
        calls_per_second_per_reseller: 0,
        sign_ins_per_minute_per_address: 0,
    }
}

fn door(limits: Limits, budget: RequestBudget) -> DoorLayer {
    DoorLayer::new(limits, budget, Arc::new(Metrics::new(false)))
}

/// Sends one frame of HTTP/2 data to a method of the service above, by its path.
async fn send(path: &str, headers: &[(&str, &str)], frame: &[u8]) -> Response<Body> {
    let service = AccessServiceServer::new(Handlers)
        .accept_compressed(tonic::codec::CompressionEncoding::Gzip)
        .max_decoding_message_size(LIMIT_BYTES);
    let served = door(limits(), RequestBudget::of(limits().request_bytes)).layer(Routes::new(service));
    let mut request = Request::post(path).header("content-type", "application/grpc");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = Body::new(axum::body::Body::from(frame.to_vec()));
    served.oneshot(request.body(body).unwrap()).await.unwrap()
}

async fn refused(path: &str, headers: &[(&str, &str)], frame: &[u8]) -> String {
    let response = send(path, headers, frame).await;
    let status = Status::from_header_map(response.headers()).unwrap();
    let details = status.get_error_details();
    let info = details.error_info().unwrap();
    let limit = info.metadata.get("limit_bytes").map(|limit| format!(" {limit}")).unwrap_or_default();
    format!("{:?} {}{limit}", status.code(), info.reason)
}

const LIST: &str = "/postrider.v1.AccessService/ListKeys";
const CREATE: &str = "/postrider.v1.AccessService/CreateKey";
const REVOKE: &str = "/postrider.v1.AccessService/RevokeKey";

#[tokio::test]
async fn what_tonic_refuses_by_itself_is_answered_in_our_words() {
    let unknown = "UNIMPLEMENTED";
    assert_eq!(
        refused("/postrider.v1.AccessService/Unheard", &[], &[0; 5]).await,
        format!("Unimplemented {unknown}")
    );
    assert_eq!(refused("/no.such.Service/Method", &[], &[0; 5]).await, format!("Unimplemented {unknown}"));
    let snappy = [("grpc-encoding", "snappy")];
    assert_eq!(refused(LIST, &snappy, &[1, 0, 0, 0, 0]).await, format!("Unimplemented {unknown}"));
    // A length of 16 MiB announced, and a bomb: 4 KiB of zeros that take 38 bytes of gzip.
    assert_eq!(refused(LIST, &[], &[0, 1, 0, 0, 0]).await, "InvalidArgument REQUEST_TOO_LARGE 1000");
    assert_eq!(
        refused(LIST, &[("grpc-encoding", "gzip")], &bomb()).await,
        "InvalidArgument REQUEST_TOO_LARGE 1000"
    );
    let undecodable = "InvalidArgument UNDECODABLE";
    // A field that ends too early, a string that is no UTF-8, a flag that is none, half a frame, nothing at all.
    assert_eq!(refused(REVOKE, &[], &[0, 0, 0, 0, 2, 10, 9]).await, undecodable);
    assert_eq!(refused(REVOKE, &[], &[0, 0, 0, 0, 3, 10, 1, 255]).await, undecodable);
    assert_eq!(refused(LIST, &[], &[7, 0, 0, 0, 0]).await, undecodable);
    assert_eq!(refused(LIST, &[], &[1, 0, 0, 0, 1, 0]).await, undecodable);
    assert_eq!(refused(LIST, &[], &[0, 0, 0, 0, 9, 1]).await, undecodable);
    assert_eq!(refused(LIST, &[], &[]).await, undecodable);
}

fn bomb() -> Vec<u8> {
    let zipped = data_encoding::HEXLOWER
        .decode(b"1f8b0800000000000203edc1010d000000c2a0f74f6d0f0714000000f06e11001cc700100000");
    let mut frame = vec![1, 0, 0, 0];
    let zipped = zipped.unwrap();
    frame.push(u8::try_from(zipped.len()).unwrap());
    frame.extend(zipped);
    frame
}

#[tokio::test]
async fn what_a_handler_answers_is_left_as_it_is() {
    assert_eq!(refused(CREATE, &[], &[0; 5]).await, "PermissionDenied ACCESS_DENIED");
    let fine = send(LIST, &[], &[0; 5]).await;
    assert!(fine.headers().get("grpc-status").is_none());
}

#[tokio::test]
async fn health_and_reflection_keep_their_own_statuses() {
    let response = send("/grpc.health.v1.Health/Unheard", &[], &[0; 5]).await;
    let status = Status::from_header_map(response.headers()).unwrap();
    assert_eq!((status.code(), status.details().len()), (Code::Unimplemented, 0));
}

#[tokio::test]
async fn an_unsupported_compression_still_names_those_that_are_supported() {
    let response = send(LIST, &[("grpc-encoding", "snappy")], &[1, 0, 0, 0, 0]).await;
    let supported = response.headers().get("grpc-accept-encoding").unwrap().to_str().unwrap();
    assert!(supported.contains("gzip"), "{supported}");
}

struct Served {
    address: std::net::SocketAddr,
    shutdown: CancellationToken,
    metrics: Arc<Metrics>,
    ended: BoxFuture<'static, ()>,
}

impl Served {
    /// Of its listener's metric, and for this reason where it has one.
    fn told(&self, metric: &str, reason: &str) -> u64 {
        told(&self.metrics, "grpc", metric, reason)
    }

    fn cut(&self, reason: &str) -> u64 {
        self.told("connections_cut_total", reason)
    }
}

fn told(metrics: &Metrics, listener: &str, metric: &str, reason: &str) -> u64 {
    let reason = if reason.is_empty() { String::new() } else { format!(",reason=\"{reason}\"") };
    let series = format!("postrider_{metric}{{listener=\"{listener}\"{reason}}} ");
    let page = metrics.text();
    let value = page.lines().find_map(|line| line.strip_prefix(&series));
    value.unwrap_or_else(|| panic!("{series} in {page}")).parse().unwrap()
}

async fn served() -> Served {
    served_with(None).await
}

async fn served_with(tls: Option<Arc<Certificates>>) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let clock = Arc::new(TestClock::at(jiff::Timestamp::UNIX_EPOCH));
    let access = Arc::new(Access::new(
        access_tests::no_keys(),
        access_tests::pepper(),
        clock,
        refusals::tests::untold(),
    ));
    let metrics = Arc::new(Metrics::new(false));
    let (door, access) = (
        door(limits(), RequestBudget::of(limits().request_bytes)),
        AccessLayer::new(access, Arc::clone(&metrics), true),
    );
    let routes = Routes::new(AccessServiceServer::new(Handlers));
    let connections = metrics.connections("grpc", limits().connections);
    let listening = Listening { listener, tls, limits: limits(), connections, shutdown: shutdown.clone() };
    let serving = tokio::spawn(serve_grpc(listening, routes, door, access));
    Served { address, shutdown, metrics, ended: Box::pin(async { serving.await.unwrap().unwrap() }) }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_speaks_holds_up_nothing() {
    let served = served().await;
    let _silent = TcpStream::connect(served.address).await.unwrap();
    let _half_spoken = {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(b"PRI * HTTP").await.unwrap();
        stream
    };
    let begun = Instant::now();
    served.shutdown.cancel();
    served.ended.await;
    assert!(begun.elapsed() < serve::GRACE);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_begin_to_speak_is_closed() {
    let served = served().await;
    let mut silent = TcpStream::connect(served.address).await.unwrap();
    // Whatever it is told first, the end comes, while the server goes on.
    let _end = silent.read_to_end(&mut Vec::new()).await;
    assert!(!served.shutdown.is_cancelled());
    assert_eq!(served.cut("client_silent"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_answering_is_cut_off_when_the_grace_is_over() {
    let served = served().await;
    let mut client = TcpStream::connect(served.address).await.unwrap();
    client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    // An empty SETTINGS frame, and none of the acknowledgements that follow.
    client.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
    client.read_exact(&mut [0; 9]).await.unwrap();
    let begun = Instant::now();
    served.shutdown.cancel();
    served.ended.await;
    assert!(begun.elapsed() <= serve::GRACE + std::time::Duration::from_secs(2), "{:?}", begun.elapsed());
}
