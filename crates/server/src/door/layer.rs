//! The outermost layer: gives each call its id, and answers what tonic refuses by itself in our own words.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response};
use postrider_domain::limits::BATCH_BYTES_MAX;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};

use super::budget::RequestBudget;
use super::budgeted::{Budgeted, HeldRoom};
use crate::begun::Begun;
use crate::config::Limits;
use crate::metrics::Metrics;
use crate::status::Refusal;

/// Services of others, whose statuses are theirs.
const EXEMPT: [&str; 2] = ["/grpc.health.", "/grpc.reflection."];
/// The one RPC whose requests have a limit of their own.
const BATCH: &str = "/postrider.v1.MailService/BatchSendMail";
/// What a status is made of on the wire.
const STATUS_HEADERS: [&str; 3] = ["grpc-status", "grpc-message", "grpc-status-details-bin"];

#[derive(Clone)]
pub(crate) struct DoorLayer {
    /// Those that a request too large for the transport is told.
    limits: Limits,
    budget: RequestBudget,
    metrics: Arc<Metrics>,
}

impl DoorLayer {
    pub(crate) fn new(limits: Limits, budget: RequestBudget, metrics: Arc<Metrics>) -> Self {
        Self { limits, budget, metrics }
    }

    fn mend(&self, begun: &Begun, headers: &mut HeaderMap) {
        let Some(status) = status_of_transport(headers) else { return };
        let Some(refusal) = self.refusal(&status, begun.path == BATCH) else { return };
        for name in STATUS_HEADERS {
            headers.remove(name);
        }
        if let Err(unfit) = begun.refused(&self.metrics, refusal).add_header(headers) {
            tracing::error!(event = "status_too_large", error = %unfit, "a status does not fit into headers");
        }
    }

    /// Whatever reaches a handler is answered with details, so a status without them tells of bytes that did not.
    fn refusal(&self, status: &Status, is_batch: bool) -> Option<Refusal> {
        match status.code() {
            // By the announced length, and by the length after decompression.
            Code::OutOfRange | Code::ResourceExhausted if is_batch => {
                let limit_bytes = BATCH_BYTES_MAX.max(self.limits.message_bytes);
                Some(Refusal::RequestTooLarge { what: "a batch", limit_bytes })
            }
            Code::OutOfRange | Code::ResourceExhausted => {
                Some(Refusal::RequestTooLarge { what: "an email", limit_bytes: self.limits.message_bytes })
            }
            Code::Unimplemented => Some(Refusal::Unimplemented),
            // `BodyEnd::NoRoom`.
            Code::Unavailable => Some(Refusal::Overloaded),
            Code::DeadlineExceeded => Some(Refusal::DeadlineExceeded),
            // The caller is gone.
            Code::Ok | Code::Cancelled => None,
            _ => Some(Refusal::Undecodable { cause: status.message().to_owned() }),
        }
    }
}

fn status_of_transport(headers: &HeaderMap) -> Option<Status> {
    let [status, _, details] = STATUS_HEADERS;
    if !headers.contains_key(status) || headers.contains_key(details) {
        return None;
    }
    Status::from_header_map(headers)
}

impl<S> Layer<S> for DoorLayer {
    type Service = DoorService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        DoorService { door: self.clone(), inner }
    }
}

#[derive(Clone)]
pub(crate) struct DoorService<S> {
    door: DoorLayer,
    inner: S,
}

impl<S> Service<Request<Body>> for DoorService<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        if EXEMPT.iter().any(|prefix| request.uri().path().starts_with(prefix)) {
            return Box::pin(self.inner.call(request));
        }
        let begun = Begun::now(request.uri().path(), request.extensions());
        let (door, room) = (self.door.clone(), HeldRoom::default());
        request.extensions_mut().insert(begun.id);
        request.extensions_mut().insert(begun.clone());
        request.extensions_mut().insert(room.clone());
        let limits = door.limits;
        let bytes_max = if begun.path == BATCH { limits.batch_bytes() } else { limits.one_request_bytes() };
        let request = request.map(|body| Body::new(Budgeted::of(body, door.budget.clone(), bytes_max, room)));
        let answer = self.inner.call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            door.mend(&begun, response.headers_mut());
            Ok(response)
        })
    }
}
