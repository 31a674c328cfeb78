//! What lies between Postrider and a server: a proxy that passes on, refuses, answers in the server's place, or holds back.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};

use crate::patience::in_time;

/// What becomes of a request.
#[derive(Debug, Clone, Default)]
pub enum Weather {
    #[default]
    Fair,
    /// Answered so, with these errors.
    Answers(u16, String),
    /// Sent elsewhere.
    Redirects(String),
    /// Held back before the server sees it.
    HoldsRequests,
    /// Passed on, and the answer held back.
    HoldsAnswers,
}

/// The proxy. Cheap to clone; it serves as long as the test runs.
#[derive(Clone)]
pub struct Proxy {
    address: String,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: String,
    client: reqwest::Client,
    /// For requests whose method and path fit.
    weather: Mutex<(Weather, Option<Method>, String)>,
    seen: watch::Sender<Vec<String>>,
    held: watch::Sender<usize>,
    door: Notify,
}

impl Proxy {
    /// In front of `http://host:port`.
    pub async fn before(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            client: client(),
            weather: Mutex::default(),
            seen: watch::Sender::default(),
            held: watch::Sender::new(0),
            door: Notify::new(),
        });
        let router = Router::new().fallback(pass).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, shared }
    }

    /// `http://host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// From now on, for all requests.
    pub fn turns(&self, weather: Weather) {
        *self.shared.weather.lock().unwrap() = (weather, None, String::new());
    }

    /// From now on, for requests of this method whose path holds this.
    pub fn turns_for(&self, method: Method, path: &str, weather: Weather) {
        *self.shared.weather.lock().unwrap() = (weather, Some(method), path.to_owned());
    }

    /// Waits until a request is held back.
    pub async fn holds_one(&self) {
        let mut held = self.shared.held.subscribe();
        let holding = held.wait_for(|held| *held > 0);
        in_time("a request is held back", holding).await.unwrap();
    }

    /// Lets go of all that is held back now.
    pub fn lets_go(&self) {
        self.shared.door.notify_waiters();
    }

    /// Method, path and Vault's namespace of the requests so far that hold this.
    pub fn seen(&self, text: &str) -> Vec<String> {
        self.shared.seen.borrow().iter().filter(|line| line.contains(text)).cloned().collect()
    }

    /// Waits until so many more requests that hold this have come.
    pub async fn sees_more(&self, count: usize, text: &str) {
        let enough = self.seen(text).len() + count;
        let mut seen = self.shared.seen.subscribe();
        let coming = seen.wait_for(|seen| seen.iter().filter(|line| line.contains(text)).count() >= enough);
        in_time(&format!("{count} requests with {text}"), coming).await.unwrap();
    }
}

async fn pass(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let namespace =
        parts.headers.get("x-vault-namespace").and_then(|name| name.to_str().ok()).unwrap_or_default();
    let line = format!("{} {path} {namespace}", parts.method);
    shared.seen.send_modify(|seen| seen.push(line));
    let (weather, method, part) = shared.weather.lock().unwrap().clone();
    let fits = method.is_none_or(|method| method == parts.method) && path.contains(&part);
    let weather = if fits { weather } else { Weather::Fair };
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    match weather {
        Weather::Answers(status, error) => {
            let status = StatusCode::from_u16(status).unwrap();
            return (status, serde_json::json!({"errors": [error]}).to_string()).into_response();
        }
        Weather::Redirects(to) => {
            return (StatusCode::TEMPORARY_REDIRECT, [("location", to)]).into_response();
        }
        Weather::HoldsRequests => shared.holds().await,
        Weather::Fair | Weather::HoldsAnswers => {}
    }
    let answer = shared.forwards(parts.method, &path, parts.headers, body).await;
    if matches!(weather, Weather::HoldsAnswers) {
        shared.holds().await;
    }
    answer
}

impl Shared {
    async fn holds(&self) {
        let mut opened = std::pin::pin!(self.door.notified());
        opened.as_mut().enable();
        self.held.send_modify(|held| *held += 1);
        opened.await;
    }

    async fn forwards(&self, method: Method, path: &str, mut headers: HeaderMap, body: Bytes) -> Response {
        headers.remove("host");
        headers.remove("content-length");
        let request =
            self.client.request(method, format!("{}{path}", self.upstream)).headers(headers).body(body);
        match request.send().await {
            Ok(answer) => {
                let (status, headers) = (answer.status(), answer.headers().clone());
                let mut response = Response::new(Body::from(answer.bytes().await.unwrap_or_default()));
                *response.status_mut() = status;
                for (name, value) in &headers {
                    if name != "transfer-encoding" && name != "content-length" && name != "connection" {
                        response.headers_mut().append(name, value.clone());
                    }
                }
                response
            }
            Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the tests must not depend on the product's own client")]
fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}
