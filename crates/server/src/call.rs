//! The wrapper around every RPC: who calls, whether they may, until when, and what is answered when it fails.
//!
//! A handler takes [`Authorised`], which only this file makes: none can be reached around it. Authorisation comes
//! before anything of the request but its reseller is looked at.
//!
//! The handler runs in a task of its own, so that a caller who goes away in the middle of a commit changes nothing:
//! what was accepted is also woken.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use postrider_domain::{Act, ResellerId};
use tokio::time::Instant;
use tonic::{Request, Response, Status};
use tracing::{Instrument as _, Span};

use crate::access::{Caller, ResellerClaim, authorise};
use crate::app::App;
use crate::begun::Begun;
use crate::door::HeldRoom;
use crate::status::{CallId, Refusal};
use crate::traces;

/// For which reseller a request is, before anything else of it is looked at.
pub(crate) trait Claims {
    fn claim(&self) -> ResellerClaim<'_>;
}

/// A request whose caller may make it.
pub(crate) struct Authorised<R> {
    pub request: R,
    pub caller: Caller,
    /// When the caller stops waiting, if it said so.
    pub deadline: Option<Instant>,
    pub id: CallId,
    pub origin: Origin,
    /// Given back when the request is no longer in memory.
    pub room: HeldRoom,
    /// What traces tell of the call, for work that goes on after its answer: a span that is not entered is nobody's parent.
    pub trace: Span,
}

/// Who calls what, from where: what an audit event tells beside what was changed.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    actor: String,
    rpc: &'static str,
    source: Option<IpAddr>,
}

impl Origin {
    pub(crate) fn actor(&self) -> &str {
        &self.actor
    }

    /// The call changes something of these resellers; none: of nobody, or of all.
    pub(crate) fn act(&self, resellers: &[ResellerId], details: &[(&str, &str)]) -> Act {
        let details = details.iter().filter(|(_, value)| !value.is_empty());
        Act {
            actor: self.actor.clone(),
            action: self.rpc.rsplit('/').next().unwrap_or_default().to_owned(),
            resellers: resellers.to_vec(),
            source_address: self.source.map(|address| address.to_string()).unwrap_or_default(),
            details: details.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        }
    }
}

/// What is left for the way back, so that our answer comes before the transport's.
const WAY_BACK: Duration = Duration::from_millis(5);

/// `rpc` is its full path, such as `/postrider.v1.MailService/SendMail`.
pub(crate) async fn call<Req, Res, Fut>(
    app: &Arc<App>,
    rpc: &'static str,
    request: Request<Req>,
    handler: impl FnOnce(Arc<App>, Authorised<Req>) -> Fut,
) -> Result<Response<Res>, Status>
where
    Req: Claims,
    Res: Send + 'static,
    Fut: Future<Output = Result<Res, Refusal>> + Send + 'static,
{
    let (id, began) = (CallId::of(request.extensions()), Instant::now());
    let span = Begun::of(rpc, request.extensions()).span();
    let answer = answer(app, id, rpc, request, handler).instrument(span.clone()).await;
    let reason = answer.as_ref().err().map_or("", Refusal::reason);
    traces::ended(&span, reason);
    span.in_scope(|| app.metrics.called(rpc, reason, began.elapsed()));
    answer.map(Response::new).map_err(|refusal| refusal.into_status(id))
}

async fn answer<Req, Res, Fut>(
    app: &Arc<App>,
    id: CallId,
    rpc: &'static str,
    request: Request<Req>,
    handler: impl FnOnce(Arc<App>, Authorised<Req>) -> Fut,
) -> Result<Res, Refusal>
where
    Req: Claims,
    Res: Send + 'static,
    Fut: Future<Output = Result<Res, Refusal>> + Send + 'static,
{
    if app.shutdown.is_cancelled() {
        return Err(Refusal::ShuttingDown);
    }
    let deadline = deadline(&request);
    let caller = request.extensions().get::<Caller>().cloned().ok_or(Refusal::Unauthenticated)?;
    let room = request.extensions().get::<HeldRoom>().cloned().unwrap_or_default();
    let origin = Origin { actor: caller.name().to_owned(), rpc, source: caller.source() };
    let (request, told) = (request.into_inner(), caller.clone());
    let asked_for = request.claim().reseller();
    let handled = async {
        authorise(&caller, rpc, request.claim())?;
        app.access.pace(request.claim())?;
        let span = tracing::info_span!("call", request_id = %id, rpc, caller = caller.name());
        let authorised = Authorised { request, caller, deadline, id, origin, room, trace: Span::current() };
        in_a_task(app, deadline, handler(Arc::clone(app), authorised).instrument(span)).await
    };
    handled.await.map_err(|refusal| match refusal {
        Refusal::AccessDenied => app.access.denied(rpc, &told, asked_for.as_ref()),
        refusal => refusal,
    })
}

async fn in_a_task<Res: Send + 'static>(
    app: &App,
    deadline: Option<Instant>,
    handled: impl Future<Output = Result<Res, Refusal>> + Send + 'static,
) -> Result<Res, Refusal> {
    let handled = app.tasks.spawn(handled.in_current_span());
    let handled = match deadline {
        Some(deadline) => {
            tokio::time::timeout_at(deadline, handled).await.map_err(|_| Refusal::DeadlineExceeded)?
        }
        None => handled.await,
    };
    // What it said may hold mail or secrets: the panic hook logs the place, and nothing else is told.
    handled.unwrap_or_else(|_| Err(Refusal::internal("a handler panicked")))
}

/// From `grpc-timeout` (gRPC over HTTP/2): at most eight digits and a unit. The caller counts from the head on, however long it takes to
/// send the body.
fn deadline<R>(request: &Request<R>) -> Option<Instant> {
    let text = request.metadata().get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let amount: u64 = (digits.len() <= 8).then(|| digits.parse().ok()).flatten()?;
    let timeout = match unit {
        "H" => Duration::from_secs(amount * 3600),
        "M" => Duration::from_secs(amount * 60),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return None,
    };
    let began = request.extensions().get::<Begun>().map_or_else(Instant::now, |begun| begun.at);
    began.checked_add(timeout.saturating_sub(WAY_BACK))
}
