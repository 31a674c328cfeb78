//! A call that no handler has seen yet, and the one way in which it ends before one does, whichever door it came by.

use std::sync::{Arc, OnceLock};

use http::{Extensions, HeaderMap};
use tokio::time::Instant;
use tonic::Status;
use tracing::Span;

use crate::access::{UNKNOWN_RPC, rpc_name};
use crate::metrics::Metrics;
use crate::status::{CallId, Refusal};
use crate::traces;

/// Of a call that the door let through, its request carries this on.
#[derive(Clone)]
pub(crate) struct Begun {
    pub(crate) id: CallId,
    /// What was asked for: an RPC's full path, or what a stranger thought of.
    pub(crate) path: String,
    /// When its head was there, whatever its body took after that.
    pub(crate) at: Instant,
    span: Arc<OnceLock<Span>>,
}

impl Begun {
    pub(crate) fn now(path: &str, extensions: &Extensions) -> Self {
        let span = Arc::default();
        Self { id: CallId::of(extensions), path: path.to_owned(), at: Instant::now(), span }
    }

    /// As the door noted it.
    pub(crate) fn of(path: &str, extensions: &Extensions) -> Self {
        extensions.get().cloned().unwrap_or_else(|| Self::now(path, extensions))
    }

    /// Its caller is known: from here on a span tells of it, if it is for an RPC of ours. Strangers write nothing into traces.
    pub(crate) fn let_in(&self, headers: &HeaderMap) {
        if rpc_name(&self.path) != UNKNOWN_RPC {
            self.span.get_or_init(|| traces::of_call(&self.path, headers));
        }
    }

    pub(crate) fn span(&self) -> Span {
        self.span.get().cloned().unwrap_or_else(Span::none)
    }

    /// Counts the call as those are that come to a handler, and answers it.
    pub(crate) fn refused(&self, metrics: &Metrics, refusal: Refusal) -> Status {
        let (span, reason) = (self.span(), refusal.reason());
        traces::ended(&span, reason);
        span.in_scope(|| metrics.called(&self.path, reason, self.at.elapsed()));
        refusal.into_status(self.id)
    }
}
