//! What lies between a replica and Microsoft: it sees each call, and can hold the request or the answer back.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// What becomes of calls to `sendMail`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    Open,
    /// Microsoft does not see the request.
    HoldsRequests,
    /// Microsoft has taken the mail, and nobody hears of it.
    HoldsAnswers,
}

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Gate {
    origin: String,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: String,
    client: reqwest::Client,
    door: watch::Sender<Door>,
    /// Calls that are held back now.
    held: watch::Sender<usize>,
    /// Answers that were passed on.
    answered: watch::Sender<u64>,
    /// Calls under way, by mailbox.
    in_flight: Mutex<BTreeMap<String, usize>>,
    /// When each call began, and whose it was.
    begun: Mutex<Vec<(Instant, String)>>,
    requests_lost: AtomicU64,
    answers_lost: AtomicU64,
}

impl Gate {
    pub(crate) async fn before(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            client: client(),
            door: watch::Sender::new(Door::Open),
            held: watch::Sender::new(0),
            answered: watch::Sender::new(0),
            in_flight: Mutex::default(),
            begun: Mutex::default(),
            requests_lost: AtomicU64::new(0),
            answers_lost: AtomicU64::new(0),
        });
        let router = Router::new().fallback(pass).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { origin, shared }
    }

    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    pub(crate) fn turns(&self, door: Door) {
        self.shared.door.send_replace(door);
    }

    /// Turns with each call that is held back.
    pub(crate) fn held(&self) -> watch::Receiver<usize> {
        self.shared.held.subscribe()
    }

    /// Turns with each answer that was passed on.
    pub(crate) fn answered(&self) -> watch::Receiver<u64> {
        self.shared.answered.subscribe()
    }

    /// Mailboxes with a call under way.
    pub(crate) fn in_flight(&self) -> Vec<String> {
        self.shared.in_flight.lock().expect("unpoisoned").keys().cloned().collect()
    }

    /// How many calls are under way.
    pub(crate) fn calls(&self) -> usize {
        self.shared.in_flight.lock().expect("unpoisoned").values().sum()
    }

    /// The first call after a moment, of one of these mailboxes, or of any where none is named.
    pub(crate) fn first_after(&self, moment: Instant, mailboxes: &[String]) -> Option<Instant> {
        let begun = self.shared.begun.lock().expect("unpoisoned");
        let first = begun.partition_point(|(time, _)| *time <= moment);
        let is_one = |mailbox: &String| mailboxes.is_empty() || mailboxes.contains(mailbox);
        begun[first..].iter().find(|(_, mailbox)| is_one(mailbox)).map(|(time, _)| *time)
    }

    /// Calls whose request, and calls whose answer, was lost with who made them.
    pub(crate) fn lost(&self) -> (u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.shared.requests_lost), read(&self.shared.answers_lost))
    }
}

/// Counts while a call is under way; dropped with the connection of one who died.
struct InFlight<'s> {
    shared: &'s Shared,
    mailbox: String,
}

impl<'s> InFlight<'s> {
    fn begin(shared: &'s Shared, mailbox: &str) -> Self {
        let mailbox = mailbox.to_owned();
        shared.begun.lock().expect("unpoisoned").push((Instant::now(), mailbox.clone()));
        *shared.in_flight.lock().expect("unpoisoned").entry(mailbox.clone()).or_default() += 1;
        Self { shared, mailbox }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let mut in_flight = self.shared.in_flight.lock().expect("unpoisoned");
        if let Some(count) = in_flight.get_mut(&self.mailbox) {
            *count -= 1;
            if *count == 0 {
                in_flight.remove(&self.mailbox);
            }
        }
    }
}

/// Counted as lost unless it gets through.
struct Held<'s> {
    held: &'s watch::Sender<usize>,
    lost: Option<&'s AtomicU64>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.held.send_modify(|held| *held -= 1);
        if let Some(lost) = self.lost {
            lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

async fn pass(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let mailbox = path.strip_prefix("/v1.0/users/").and_then(|rest| rest.strip_suffix("/sendMail"));
    let Some(mailbox) = mailbox else {
        return shared.forwards(parts.method, &path, parts.headers, body).await;
    };
    let _in_flight = InFlight::begin(&shared, &mailbox.replace("%40", "@"));
    shared.holds(Door::HoldsRequests, &shared.requests_lost).await;
    let answer = shared.forwards(parts.method, &path, parts.headers, body).await;
    shared.holds(Door::HoldsAnswers, &shared.answers_lost).await;
    shared.answered.send_modify(|answered| *answered += 1);
    answer
}

impl Shared {
    /// As long as the door is so.
    async fn holds(&self, door: Door, lost: &AtomicU64) {
        let mut is = self.door.subscribe();
        if *is.borrow_and_update() != door {
            return;
        }
        self.held.send_modify(|held| *held += 1);
        let mut held = Held { held: &self.held, lost: Some(lost) };
        is.wait_for(|is| *is != door).await.ok();
        held.lost = None;
    }

    async fn forwards(&self, method: Method, path: &str, mut headers: HeaderMap, body: Bytes) -> Response {
        headers.remove("host");
        headers.remove("content-length");
        let url = format!("{}{path}", self.upstream);
        match self.client.request(method, url).headers(headers).body(body).send().await {
            Ok(answer) => {
                let (status, headers) = (answer.status(), answer.headers().clone());
                let mut response = Response::new(Body::from(answer.bytes().await.unwrap_or_default()));
                *response.status_mut() = status;
                for (name, value) in &headers {
                    if !["transfer-encoding", "content-length", "connection"].contains(&name.as_str()) {
                        response.headers_mut().append(name, value.clone());
                    }
                }
                response
            }
            Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the witness must not depend on the product's own client")]
fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client")
}
