//! The HTTP pages for probes and for those who count: alive, ready, metrics.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::routing::get;
use postrider_domain::Clock;
use postrider_store::DynStore;
use tokio::sync::watch;

use crate::health::Readiness;
use crate::metrics::Metrics;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the pages tell of.
#[derive(Clone)]
pub(crate) struct Pages {
    pub readiness: watch::Receiver<Readiness>,
    pub metrics: Arc<Metrics>,
    pub store: DynStore,
    pub clock: Arc<dyn Clock>,
}

impl Pages {
    pub(crate) fn router(self) -> Router {
        Router::new()
            .route("/healthz", get(alive))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics))
            .with_state(self)
    }
}

async fn alive() -> &'static str {
    "alive\n"
}

async fn ready(State(pages): State<Pages>) -> (StatusCode, String) {
    let now = *pages.readiness.borrow();
    let code = if now == Readiness::Ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, format!("{}\n", now.reason()))
}

async fn metrics(State(pages): State<Pages>) -> ([(HeaderName, &'static str); 1], String) {
    let readiness = *pages.readiness.borrow();
    let page = pages.metrics.page(readiness, &pages.store, pages.clock.as_ref()).await;
    ([(CONTENT_TYPE, OPEN_METRICS)], page)
}

pub(crate) async fn nothing_here() -> (StatusCode, &'static str) {
    (
        StatusCode::NOT_FOUND,
        "There is nothing here: /healthz, /readyz and /metrics are, unless they have a listener of their own, and \
         under /v1/ three calls of the API as JSON. The whole API speaks gRPC on its own port, and gRPC-Web here.\n",
    )
}
