//! What a client may not do to others: hold connections, memory or calls for nothing.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Bytes;
use axum::routing::{get, post};
use futures::{StreamExt as _, stream};
use http_body_util::BodyExt as _;

use super::*;
use crate::reflection::add_reflection;

#[tokio::test(start_paused = true)]
async fn what_finds_no_room_is_told_so_and_small_requests_have_room_of_their_own() {
    let budget = RequestBudget::of(4 * 1024 * 1024);
    let mut large = Vec::new();
    while let Ok(room) = budget.take(&large.len().to_string(), 1024 * 1024).await {
        large.push(room);
    }
    assert_eq!(large.len(), 3);
    budget.take("k1", 1024).await.expect("a small one has room");
    large.pop();
    budget.take("k1", 1024 * 1024).await.expect("what was given back");
}

#[tokio::test(start_paused = true)]
async fn one_caller_leaves_room_for_the_others_of_either_kind() {
    let budget = RequestBudget::of(4 * 1024 * 1024);
    for (bytes, of_one) in [(128 * 1024, 4), (512 * 1024, 3)] {
        let mut taken = Vec::new();
        while let Ok(room) = budget.take("k1", bytes).await {
            taken.push(room);
        }
        assert_eq!(taken.len(), of_one);
        budget.take("k2", bytes).await.expect("another's has room");
        taken.pop();
        budget.take("k1", bytes).await.expect("what was given back");
    }
    budget.take("k1", 3 * 1024 * 1024).await.expect("one that is larger than a part, alone");
}

#[tokio::test(start_paused = true)]
async fn a_request_is_counted_by_what_it_announces_before_it_is_received() {
    let budget = RequestBudget::of(limits().request_bytes);
    let taken = budget.take("k1", 900 * 1024).await.unwrap();
    // So that a megabyte may be announced.
    let limits = Limits { message_bytes: 1024 * 1024, ..limits() };
    let rest = budget.take("k2", 1_800 * 1024).await.unwrap();
    let announced = [0, 0, 15, 0, 0];
    let refused = |budget: RequestBudget| async move {
        let served = door(limits, budget).layer(Routes::new(AccessServiceServer::new(Handlers)));
        let body = Body::new(axum::body::Body::from(announced.to_vec()));
        let request = Request::post(LIST).header("content-type", "application/grpc").body(body).unwrap();
        let response = served.oneshot(request).await.unwrap();
        let status = Status::from_header_map(response.headers()).unwrap();
        status.get_error_details().error_info().unwrap().reason.clone()
    };
    assert_eq!(refused(budget.clone()).await, "OVERLOADED");
    drop((taken, rest));
    assert_eq!(refused(budget).await, "UNDECODABLE", "it was received, and is half a message");
}

/// HTTP/2's preface and an empty SETTINGS frame.
const GREETING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const PING: [u8; 17] = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];

/// Answers the server's pings, as a client that is there does, until the connection is closed; how long that took.
async fn lasts(mut client: TcpStream) -> Duration {
    let begun = Instant::now();
    let mut frame = [0; 9];
    while client.read_exact(&mut frame).await.is_ok() {
        let mut payload = vec![0; usize::from(frame[1]) << 8 | usize::from(frame[2])];
        client.read_exact(&mut payload).await.unwrap();
        let is_ping = frame[3] == 6 && frame[4] == 0;
        frame[4] = 1;
        if is_ping && client.write_all(&[&frame[..], &payload].concat()).await.is_err() {
            break;
        }
    }
    begun.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_calls_is_told_to_go() {
    let served = served().await;
    let mut client = TcpStream::connect(served.address).await.unwrap();
    client.write_all(GREETING).await.unwrap();
    let lasted = lasts(client).await;
    assert!(serve::QUIET <= lasted && lasted < serve::QUIET + Duration::from_secs(20), "{lasted:?}");
    assert!(serve::QUIET < serve::AGE);
}

/// A call to [`LIST`] on a stream of this number, its fields as HPACK writes those that are in no table.
fn call(stream: u32) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let head: Vec<u8> = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", LIST),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
    ]
    .into_iter()
    .flat_map(|(name, value)| [vec![0], text(name), text(value)].concat())
    .collect();
    // HEADERS, with END_HEADERS and END_STREAM.
    let length = u8::try_from(head.len()).unwrap();
    [&[0, 0, length, 1, 5], &stream.to_be_bytes()[..], &head].concat()
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_old_is_told_to_go_however_busy_it_is() {
    let served = served().await;
    let (mut hears, mut speaks) = TcpStream::connect(served.address).await.unwrap().into_split();
    let (says, mut said) = tokio::sync::mpsc::unbounded_channel::<Vec<u8>>();
    says.send(GREETING.to_vec()).unwrap();
    let calls = says.clone();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(serve::QUIET / 3);
        for stream in (1..).step_by(2) {
            ticks.tick().await;
            if calls.send(call(stream)).is_err() {
                break;
            }
        }
    });
    let speaking = tokio::spawn(async move {
        while let Some(frame) = said.recv().await {
            let _gone = speaks.write_all(&frame).await;
        }
    });
    let (begun, mut frame, mut answers) = (Instant::now(), [0; 9], 0);
    while hears.read_exact(&mut frame).await.is_ok() {
        let mut payload = vec![0; usize::from(frame[1]) << 8 | usize::from(frame[2])];
        hears.read_exact(&mut payload).await.unwrap();
        answers += usize::from(frame[3] == 1);
        if frame[3] == 6 && frame[4] == 0 {
            frame[4] = 1;
            says.send([&frame[..], &payload].concat()).unwrap();
        }
    }
    speaking.abort();
    let lasted = begun.elapsed();
    assert!(answers >= 9, "{answers} calls were answered");
    assert!(serve::AGE <= lasted && lasted < serve::AGE + Duration::from_mins(6), "{lasted:?}");
}

#[tokio::test]
async fn a_client_that_is_all_pings_is_cut_off() {
    let served = served().await;
    let (mut hears, mut says) = TcpStream::connect(served.address).await.unwrap().into_split();
    says.write_all(GREETING).await.unwrap();
    let hearing = tokio::spawn(async move { hears.read_to_end(&mut Vec::new()).await });
    let mut pings = 0_usize;
    while says.write_all(&PING.repeat(100)).await.is_ok() {
        pings += 100;
    }
    assert!(pings < 1_000_000, "{pings}");
    assert_eq!(served.cut("client_too_loud"), 1);
    drop(hearing.await.unwrap());
}

#[tokio::test]
async fn one_address_has_so_many_connections_and_gets_a_place_back() {
    let served = served().await;
    let greets = || async {
        let mut client = TcpStream::connect(served.address).await.unwrap();
        client.write_all(GREETING).await?;
        client.read_exact(&mut [0; 9]).await?;
        Ok::<_, std::io::Error>(client)
    };
    let mut all = Vec::new();
    for _ in 0..limits().connections_per_address {
        all.push(greets().await.unwrap());
    }
    assert_eq!((served.told("connections", ""), served.told("connections_max", "")), (150, 200));
    greets().await.expect_err("one too many");
    assert_eq!(served.cut("address_has_too_many"), 1);
    all.clear();
    while greets().await.is_err() {
        tokio::task::yield_now().await;
    }
}

/// A page that is larger than what sockets hold, and one that tells how many bytes it was sent.
async fn pages() -> (std::net::SocketAddr, Metrics) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let pages = axum::Router::new()
        .route("/large", get(|| async { vec![b'a'; LARGE_BYTES] }))
        .route("/sent", post(|sent: axum::body::Bytes| async move { sent.len().to_string() }));
    let metrics = Metrics::new(false);
    let connections = metrics.connections("http", limits().connections);
    let shutdown = CancellationToken::new();
    let listening = Listening { listener, tls: None, limits: limits(), connections, shutdown };
    tokio::spawn(serve_http(listening, pages));
    (address, metrics)
}

/// Moves the clock, second by second, so that whoever looks every few of them does.
async fn passes(time: Duration) {
    for _ in 0..time.as_secs() {
        tokio::time::advance(Duration::from_secs(1)).await;
    }
}

const LARGE_BYTES: usize = 64 * 1024 * 1024;

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_its_answer_is_cut_off() {
    let (address, metrics) = pages().await;
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    passes(calls::UNREAD + Duration::from_secs(20)).await;
    let mut read = Vec::new();
    let _cut = client.read_to_end(&mut read).await;
    assert!(read.len() < LARGE_BYTES, "all of it was kept");
    assert_eq!(told(&metrics, "http", "connections_cut_total", "answer_not_read"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_comes_in_byte_by_byte_is_given_up_and_one_that_is_slow_is_not() {
    let (address, _) = pages().await;
    let sends = |pause: Duration, bytes: usize, piece: usize| async move {
        let mut client = TcpStream::connect(address).await.unwrap();
        let head =
            format!("POST /sent HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {bytes}\r\n\r\n");
        client.write_all(head.as_bytes()).await.unwrap();
        let (mut hears, mut says) = client.into_split();
        let saying = tokio::spawn(async move {
            for _ in 0..bytes / piece {
                if says.write_all(&vec![b'a'; piece]).await.is_err() {
                    break;
                }
                passes(pause).await;
            }
            says
        });
        let mut answer = String::new();
        hears.read_to_string(&mut answer).await.unwrap();
        drop(saying);
        answer
    };
    let trickled = sends(Duration::from_secs(1), 1_000, 1).await;
    assert!(trickled.starts_with("HTTP/1.1 400 "), "{trickled}");
    let slow = sends(Duration::from_secs(1), 2 * 1024 * 1024, 64 * 1024).await;
    assert!(slow.ends_with("\r\n2097152"), "{slow}");
}

#[tokio::test(start_paused = true)]
async fn what_needs_no_key_takes_no_large_message() {
    let (_store, watched) = tokio::sync::watch::channel(postrider_store::StoreHealth::Serving);
    let health = crate::health::Health::new(watched, None).await;
    let routes = add_reflection(Routes::new(health.service())).unwrap().prepare();
    let door = door(limits(), RequestBudget::of(limits().request_bytes));
    for rpc in [
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/Watch",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    ] {
        // Almost 4 MiB are announced, and the client takes its time with the rest.
        let begun = stream::iter([Ok::<_, Infallible>(Bytes::from_static(&[0, 0, 0x3f, 0xff, 0xf0, 1, 2]))]);
        let body = Body::new(axum::body::Body::from_stream(begun.chain(stream::pending())));
        let request = Request::post(rpc).header("content-type", "application/grpc").body(body).unwrap();
        let answered = async {
            let (head, body) = door.layer(routes.clone()).oneshot(request).await.unwrap().into_parts();
            let at_the_end = body.collect().await.unwrap().trailers().cloned().unwrap_or_default();
            Status::from_header_map(&head.headers).or_else(|| Status::from_header_map(&at_the_end))
        };
        let status = tokio::time::timeout(Duration::from_secs(1), answered).await;
        let status = status.unwrap_or_else(|_| panic!("{rpc} waits for the rest")).unwrap();
        // Reflection ends without a word.
        let expected = if rpc.starts_with("/grpc.health.") { Code::OutOfRange } else { Code::Ok };
        assert_eq!(status.code(), expected, "{rpc}: {status:?}");
    }
}
