//! A call that no handler has seen yet, and the one way in which it ends before one does, whichever door it came by.

use http::Extensions;
use tokio::time::Instant;
use tonic::Status;

use crate::metrics::Metrics;
use crate::status::{CallId, Refusal};

/// Of a call that the door let through, its request carries this on.
#[derive(Clone)]
pub(crate) struct Begun {
    pub(crate) id: CallId,
    /// What was asked for: an RPC's full path, or what a stranger thought of.
    pub(crate) path: String,
    /// When its head was there, whatever its body took after that.
    pub(crate) at: Instant,
}

impl Begun {
    pub(crate) fn now(path: &str, extensions: &Extensions) -> Self {
        Self { id: CallId::of(extensions), path: path.to_owned(), at: Instant::now() }
    }

    /// Counts the call as those are that come to a handler, and answers it.
    pub(crate) fn refused(&self, metrics: &Metrics, refusal: Refusal) -> Status {
        metrics.called(&self.path, refusal.reason(), self.at.elapsed());
        refusal.into_status(self.id)
    }
}
