//! The layer around all gRPC services: no call is routed before its caller is known.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Request, Response};
use tonic::body::Body;
use tower::{Layer, Service};

use super::{Access, Shown, source};
use crate::begun::Begun;
use crate::door::HeldRoom;
use crate::metrics::Metrics;

const HEALTH: &str = "/grpc.health.v1.Health/";
const REFLECTION: &str = "/grpc.reflection.";

#[derive(Clone)]
pub struct AccessLayer {
    access: Arc<Access>,
    metrics: Arc<Metrics>,
    /// Whether reflection needs no key.
    open_reflection: bool,
}

impl AccessLayer {
    pub(crate) fn new(access: Arc<Access>, metrics: Arc<Metrics>, open_reflection: bool) -> Self {
        Self { access, metrics, open_reflection }
    }

    /// Health says no more than serving or not, and a probe has no key.
    fn is_open(&self, path: &str) -> bool {
        path.starts_with(HEALTH) || (self.open_reflection && path.starts_with(REFLECTION))
    }
}

impl<S> Layer<S> for AccessLayer {
    type Service = AccessService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AccessService { layer: self.clone(), inner }
    }
}

#[derive(Clone)]
pub struct AccessService<S> {
    layer: AccessLayer,
    inner: S,
}

impl<S> Service<Request<Body>> for AccessService<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        if self.layer.is_open(request.uri().path()) {
            return Box::pin(inner.call(request));
        }
        let layer = self.layer.clone();
        let begun = Begun::of(request.uri().path(), request.extensions());
        let source = source(request.extensions());
        let extensions = std::mem::take(request.extensions_mut());
        let shown = Shown::take(request.headers_mut(), &extensions);
        *request.extensions_mut() = extensions;
        Box::pin(async move {
            match layer.access.admit(&begun.path, &shown, source).await {
                Ok(caller) => {
                    if let Some(room) = request.extensions().get::<HeldRoom>() {
                        room.belongs_to(caller.name());
                    }
                    begun.let_in(request.headers());
                    request.extensions_mut().insert(caller);
                    inner.call(request).await
                }
                Err(refusal) => Ok(begun.refused(&layer.metrics, refusal).into_http()),
            }
        })
    }
}
