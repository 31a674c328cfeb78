//! Hostile clients: whatever they say in HTTP/2, memory stays flat and good callers are answered. The figures are printed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use postrider_proto::v1::Message;
use postrider_testkit::{Service, in_time, mail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::ready;

/// HTTP/2's preface and an empty SETTINGS frame.
const GREETING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// Hostile connections at a time.
const ATTACKERS: usize = 4;
const CALLS: usize = 50;
/// What a hostile client may cost beside the calls of good ones. Each connection may have some hundred kilobytes of buffers.
const MEMORY_MAX_KIB: usize = 64 * 1024;
/// Nobody starves, in a debug build on two cores that the attackers share without restraint; the figures say how it is.
const LATENCY_MAX: Duration = Duration::from_secs(5);

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A field as HPACK writes it that is in no table. Lengths up to 126.
fn field(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    [vec![0], text(name), text(value)].concat()
}

fn call(key: &str) -> Vec<u8> {
    let authorization = format!("Bearer {key}");
    let fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/postrider.v1.MailService/SendMail"),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("authorization", &authorization),
    ];
    fields.into_iter().flat_map(|(name, value)| field(name, value)).collect()
}

/// Says these bytes by stream number, again and again on new connections, and hears everything. Counts the times it was cut off.
struct Attack {
    stop: Arc<AtomicBool>,
    cut_off: Arc<AtomicUsize>,
    attackers: JoinSet<()>,
}

impl Attack {
    fn begin(service: &Service, says: impl Fn(u32) -> Vec<u8> + Clone + Send + 'static) -> Self {
        let (stop, cut_off) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut attackers = JoinSet::new();
        for _ in 0..ATTACKERS {
            let (address, says) = (service.grpc().to_owned(), says.clone());
            let (stop, cut_off) = (Arc::clone(&stop), Arc::clone(&cut_off));
            attackers.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let (mut hears, mut speaks) = TcpStream::connect(&address).await.unwrap().into_split();
                    let hearing = tokio::spawn(async move {
                        let mut heard = vec![0; 64 * 1024];
                        while matches!(hears.read(&mut heard).await, Ok(1..)) {}
                    });
                    let mut stream = 1;
                    let mut said = speaks.write_all(GREETING).await;
                    while said.is_ok() && !stop.load(Ordering::Relaxed) {
                        said = speaks.write_all(&says(stream)).await;
                        stream += 2;
                    }
                    cut_off.fetch_add(usize::from(said.is_err()), Ordering::Relaxed);
                    hearing.abort();
                }
            });
        }
        Self { stop, cut_off, attackers }
    }

    async fn ends(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        // One that waits for room to write would wait for ever.
        let mut attackers = self.attackers;
        attackers.shutdown().await;
        self.cut_off.load(Ordering::Relaxed)
    }
}

struct Figures {
    half: Duration,
    most: Duration,
    memory_kib: usize,
}

/// A good caller's calls, one after the other.
async fn measured(service: &mut Service, message: &Message) -> Figures {
    let client = service.admin().on_another_connection();
    let (mut times, mut memory_kib) = (Vec::new(), 0);
    for _ in 0..CALLS {
        let began = Instant::now();
        client.message(&message.reseller, &message.message_id).await;
        times.push(began.elapsed());
        memory_kib = memory_kib.max(resident_kib(service));
    }
    times.sort();
    Figures { half: times[CALLS / 2], most: times[CALLS * 99 / 100], memory_kib }
}

fn resident_kib(service: &mut Service) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.program().id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// How often the attackers were cut off.
async fn withstands(what: &str, says: impl Fn(u32) -> Vec<u8> + Clone + Send + 'static) -> usize {
    let mut service = ready().await;
    withstood(&mut service, what, says).await
}

async fn withstood(
    service: &mut Service,
    what: &str,
    says: impl Fn(u32) -> Vec<u8> + Clone + Send + 'static,
) -> usize {
    let message = service.admin().sends(mail("acme").waiting_for_sent()).await;
    let before = measured(service, &message).await;
    let attack = Attack::begin(service, says);
    let during = measured(service, &message).await;
    let cut_off = attack.ends().await;
    println!(
        "{what}: p50 {:?} → {:?}, p99 {:?} → {:?}, memory {} → {} KiB, {cut_off} connections cut off",
        before.half, during.half, before.most, during.most, before.memory_kib, during.memory_kib
    );
    assert!(during.most < LATENCY_MAX, "good callers wait: {:?}", during.most);
    let grown = during.memory_kib.saturating_sub(before.memory_kib);
    assert!(grown < MEMORY_MAX_KIB, "{what} takes {grown} KiB");
    assert!(!service.stderr().contains("panicked"), "{}", service.stderr());
    cut_off
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_are_taken_back_at_once_end_the_connection() {
    let cut_off = withstands("rapid reset", |stream| {
        let taken_back = frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes());
        [frame(HEADERS, END_HEADERS, stream, &call("pr_none")), taken_back].concat()
    })
    .await;
    assert!(cut_off > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_pings_ends_the_connection() {
    assert!(withstands("pings", |_| frame(PING, 0, 0, &[7; 8]).repeat(100)).await > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_settings_ends_the_connection() {
    // SETTINGS_HEADER_TABLE_SIZE, now this and now that.
    let settings =
        |stream: u32| frame(SETTINGS, 0, 0, &[&[0, 1], &stream.to_be_bytes()[..]].concat()).repeat(100);
    assert!(withstands("settings", settings).await > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_without_an_end_are_not_collected() {
    let large = field("x-filler", &"a".repeat(100)).repeat(100);
    let without_end = move |stream| match stream {
        1 => frame(HEADERS, 0, 1, &large),
        _ => frame(CONTINUATION, 0, 1, &large),
    };
    assert!(withstands("headers without an end", without_end).await > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_that_is_repeated_by_its_index_is_not_unpacked() {
    let bomb = |stream| {
        // With incremental indexing, so that each byte 0xbe says all of it again.
        let mut first = field("x-filler", &"a".repeat(100));
        first[0] = 0x40;
        frame(HEADERS, END_HEADERS, stream, &[first, vec![0xbe; 16_000]].concat())
    };
    withstands("a bomb of indexed headers", bomb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_are_announced_and_hardly_sent_take_no_memory_of_others() {
    let mut service = ready().await;
    let call = call(service.admin().key());
    let body = move |stream| {
        // A message of 32 MiB, of which ten bytes come.
        let data = [&[0, 2, 0, 0, 0][..], &[0; 10]].concat();
        [frame(HEADERS, END_HEADERS, stream, &call), frame(DATA, 0, stream, &data)].concat()
    };
    withstood(&mut service, "slow bodies", body).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_clients_hold_up_neither_others_nor_the_end() {
    let mut service = ready().await;
    let message = service.admin().sends(mail("acme").waiting_for_sent()).await;
    let mut silent = Vec::new();
    for _ in 0..200 {
        let mut client = TcpStream::connect(service.grpc()).await.unwrap();
        client.write_all(&GREETING[..10]).await.unwrap();
        silent.push(client);
    }
    let during = measured(&mut service, &message).await;
    println!(
        "200 silent clients: p50 {:?}, p99 {:?}, memory {} KiB",
        during.half, during.most, during.memory_kib
    );
    assert!(during.most < LATENCY_MAX, "{:?}", during.most);
    let began = Instant::now();
    assert_eq!(service.is_asked_to_end().await.code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

/// Files that the service may have open: more than it needs, and fewer than there are clients.
const FILES_MAX: usize = 96;

#[tokio::test]
async fn without_files_to_open_those_who_are_in_go_on_and_others_come_in_later() {
    let mut service = ready().await;
    service.admin().health("").await.unwrap();
    let (id, limit) = (service.program().id().to_string(), format!("--nofile={FILES_MAX}:"));
    let limited =
        tokio::process::Command::new("prlimit").args(["--pid", &id, &limit]).status().await.unwrap();
    assert!(limited.success());
    let mut many = Vec::new();
    for _ in 0..2 * FILES_MAX {
        many.push(TcpStream::connect(service.grpc()).await.unwrap());
    }
    let mut ticks = tokio::time::interval(Duration::from_millis(50));
    in_time("it has no file left", async {
        while !service.stderr().contains("a connection was not accepted") {
            ticks.tick().await;
        }
    })
    .await;
    assert_eq!(service.admin().health("").await.unwrap(), "SERVING");
    drop(many);
    let later = service.admin().on_another_connection();
    assert_eq!(in_time("another comes in", later.health("")).await.unwrap(), "SERVING");
    let told = service.stderr().matches("a connection was not accepted").count();
    assert!(told < 200, "it spins: {told}");
}
