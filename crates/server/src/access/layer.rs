//! The layer around all gRPC services: no call is routed before its caller is known.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Request, Response};
use postrider_domain::Act;
use tonic::body::Body;
use tonic::transport::server::TcpConnectInfo;
use tower::{Layer, Service};

use super::authorise::has_scope;
use super::scopes::{Rule, rule};
use super::{Access, Caller, Refusals};
use crate::status::{CallId, Refusal};

const HEALTH: &str = "/grpc.health.v1.Health/";
const REFLECTION: &str = "/grpc.reflection.";

#[derive(Clone)]
pub struct AccessLayer {
    access: Arc<Access>,
    refusals: Arc<Refusals>,
    /// Whether reflection needs a key: all but a loopback listener asks for one.
    open_reflection: bool,
}

impl AccessLayer {
    pub(crate) fn new(access: Arc<Access>, refusals: Arc<Refusals>, listener: IpAddr) -> Self {
        Self { access, refusals, open_reflection: listener.is_loopback() }
    }

    /// Health says no more than serving or not, and a probe has no key.
    fn is_open(&self, path: &str) -> bool {
        path.starts_with(HEALTH) || (self.open_reflection && path.starts_with(REFLECTION))
    }

    async fn admit(
        &self,
        path: &str,
        authorization: &[u8],
        source: Option<IpAddr>,
    ) -> Result<Caller, Refusal> {
        let rule = rule(path);
        let refused = |actor, reason| self.refusals.note(act(actor, rule, source), reason);
        let caller = self.access.authenticate(authorization).await.inspect_err(|refusal| {
            if let Refusal::Unauthenticated = refusal {
                refused(String::new(), "UNAUTHENTICATED");
            }
        })?;
        match rule {
            Some(rule) if !has_scope(&caller, rule) => {
                refused(caller.key_id().to_string(), "ACCESS_DENIED");
                Err(Refusal::AccessDenied)
            }
            // Why: a path without a rule is no RPC of ours; routing says so. A handler without one is denied by `authorise`.
            _ => Ok(caller),
        }
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
        let path = request.uri().path().to_owned();
        if self.layer.is_open(&path) {
            return Box::pin(inner.call(request));
        }
        let layer = self.layer.clone();
        let call = CallId::of(request.extensions());
        let peer = request.extensions().get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr);
        let source = peer.map(|peer| peer.ip());
        let authorization = take_authorization(request.headers_mut());
        Box::pin(async move {
            match layer.admit(&path, &authorization, source).await {
                Ok(caller) => {
                    request.extensions_mut().insert(caller);
                    inner.call(request).await
                }
                Err(refusal) => Ok(refusal.into_status(call).into_http()),
            }
        })
    }
}

/// What was tried, and by whom, as far as it is known.
fn act(actor: String, rule: Option<&Rule>, source: Option<IpAddr>) -> Act {
    let rpc = rule.and_then(|rule| rule.rpc.rsplit('/').next()).unwrap_or("unknown");
    Act {
        actor,
        action: rpc.to_owned(),
        resellers: Vec::new(),
        source_address: source.map(|address| address.to_string()).unwrap_or_default(),
        details: BTreeMap::new(),
    }
}

/// Taken out of the request, so that nothing behind this layer can print it. Two of them are none.
fn take_authorization(headers: &mut HeaderMap) -> Vec<u8> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (Some(only), None) => only.as_bytes().to_vec(),
        _ => Vec::new(),
    };
    headers.remove(AUTHORIZATION);
    value
}
