//! What a call on a mailbox passes before it is looked at: token, permission, size, mailbox, policy, concurrency.
//!
//! A request counts against its mailbox from its arrival to its answer. The rate is counted, not refused (`breach.rs`);
//! scripted answers come where the real ones would. In strict mode a request before its `Retry-After` has passed is
//! refused as well as counted.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode};
use jiff::Timestamp;

use super::{Incoming, Stop};
use crate::answer::{GraphCall, Refusal};
use crate::bearer::{self, Bearer};
use crate::body::{self, Received};
use crate::breach::InFlight;
use crate::directory::{Known, Mailbox};
use crate::kind::{Call, Kind};
use crate::limits;
use crate::scenario::Scope;
use crate::scripted::{self, Script};
use crate::shared::Shared;

/// What a call needs to be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    SendMail,
    ReadWrite,
    Read,
}

impl Needs {
    fn roles(self) -> &'static [&'static str] {
        match self {
            Needs::SendMail => &["Mail.Send"],
            Needs::ReadWrite => &["Mail.ReadWrite"],
            Needs::Read => &["Mail.ReadWrite", "Mail.Read", "Mail.ReadBasic.All", "Mail.ReadBasic"],
        }
    }

    fn kind(self) -> Call {
        if self == Needs::SendMail { Call::SendMail } else { Call::Draft }
    }
}

/// A call that has passed.
pub(super) struct Entered {
    pub(super) known: Arc<Known>,
    pub(super) in_flight: InFlight,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) query: String,
    address: String,
}

impl Entered {
    pub(super) fn mailbox(&self) -> Option<&Mailbox> {
        self.known.mailbox(&self.address)
    }

    pub(super) fn scope(&self) -> Scope<'_> {
        Scope { known: &self.known, mailbox: Some(&self.address) }
    }
}

pub(super) async fn enter(
    shared: &Shared,
    call: &GraphCall,
    address: &str,
    needs: Needs,
    incoming: Incoming,
) -> Result<Entered, Stop> {
    let Incoming { headers, body, peer, query, .. } = incoming;
    let Bearer { claims, known } = bearer::authorize(&headers, &shared.directories, call.now)?;
    let scope = Scope { known: &known, mailbox: Some(address) };
    permit(shared, &claims, &scope, needs, call)?;
    let mailbox = known.mailbox(address);
    let in_flight =
        mailbox.map(|mailbox| shared.breaches.enter(&claims.appid, &mailbox.address, peer, call.now));
    let body = receive(body).await?;
    let (Some(mailbox), Some(in_flight)) = (mailbox, in_flight) else {
        let message = format!("The requested user '{address}' is invalid.");
        return Err(Refusal::new(StatusCode::NOT_FOUND, "ErrorInvalidUser", message).into());
    };
    if !mailbox.licensed {
        let message = "The mailbox is either inactive, soft-deleted, or is hosted on-premise.";
        return Err(Refusal::new(StatusCode::NOT_FOUND, "MailboxNotEnabledForRESTAPI", message).into());
    }
    let script = Script { shared, call, scope: &scope, kind: needs.kind(), in_flight: Some(&in_flight) };
    script.pass().await?;
    busy(&script, &in_flight, call.now)?;
    let address = mailbox.address.clone();
    Ok(Entered { known: Arc::clone(&known), in_flight, headers, body, query, address })
}

/// 401 for a token with no roles at all, 403 for one without the right role, unless Exchange grants it (RBAC).
fn permit(
    shared: &Shared,
    claims: &crate::token::Claims,
    scope: &Scope<'_>,
    needs: Needs,
    call: &GraphCall,
) -> Result<(), Refusal> {
    let rbac = |wanted| wanted == Kind::RbacOnly;
    if claims.has_any(needs.roles()) {
        return Ok(());
    }
    // Exchange grants the sending alone. The call that it permits uses the scenario up.
    if needs == Needs::SendMail && shared.scenarios.take(scope, Call::SendMail, call.now, rbac).is_some() {
        return Ok(());
    }
    let is_scoped = shared.scenarios.is_active(scope, Call::SendMail, call.now, Kind::RbacOnly);
    let has_none = claims.roles.is_empty() && !is_scoped;
    Err(if has_none { bearer::no_permissions() } else { Refusal::access_denied() })
}

async fn receive(body: Body) -> Result<Bytes, Refusal> {
    match body::read(body, limits::GRAPH_REQUEST_BYTES_MAX).await {
        Received::Whole(bytes) => Ok(bytes),
        Received::TooLarge => Err(Refusal::too_large()),
        Received::Broken => Err(Refusal::bad_request("BadRequest", "The request body ended early.")),
    }
}

/// The fifth at once, and in strict mode whoever did not wait as asked.
pub(super) fn busy(script: &Script<'_>, in_flight: &InFlight, now: Timestamp) -> Result<(), Refusal> {
    if in_flight.is_over_limit() {
        return Err(script.throttled(Refusal::mailbox_concurrency(None), Some(scripted::one_second())));
    }
    match in_flight.early_until().filter(|_| script.shared.is_strict()) {
        Some(until) => {
            let left = until.duration_since(now).as_secs_f64().max(0.001);
            Err(script.throttled(Refusal::mailbox_concurrency(None), Some((format!("{left:.3}"), until))))
        }
        None => Ok(()),
    }
}
