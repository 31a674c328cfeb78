//! The HTTP pages for probes: alive, and ready.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::sync::watch;

use crate::health::Readiness;

pub(crate) fn pages(readiness: watch::Receiver<Readiness>) -> Router {
    Router::new()
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .fallback(nothing_here)
        .with_state(readiness)
}

async fn alive() -> &'static str {
    "alive\n"
}

async fn ready(State(readiness): State<watch::Receiver<Readiness>>) -> (StatusCode, String) {
    let now = *readiness.borrow();
    let code = if now == Readiness::Ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, format!("{}\n", now.reason()))
}

async fn nothing_here() -> (StatusCode, &'static str) {
    (
        StatusCode::NOT_FOUND,
        "There is nothing here: /healthz and /readyz are, and the API speaks gRPC on its own port.\n",
    )
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    async fn get(pages: &Router, path: &str) -> (u16, String) {
        let request = http::Request::get(path).body(Body::empty()).unwrap();
        let answer = pages.clone().oneshot(request).await.unwrap();
        let code = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (code, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn alive_is_always_and_ready_says_why_not() {
        let (told, readiness) = watch::channel(Readiness::Ready);
        let pages = pages(readiness);
        assert_eq!(get(&pages, "/readyz").await, (200, "ready\n".to_owned()));
        told.send(Readiness::StoreAway).unwrap();
        assert_eq!(get(&pages, "/readyz").await, (503, "the database is away\n".to_owned()));
        assert_eq!(get(&pages, "/healthz").await.0, 200);
        assert_eq!(get(&pages, "/").await.0, 404);
    }
}
