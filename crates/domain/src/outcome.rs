//! What an attempt came to.

use std::time::Duration;

use crate::Finding;

/// One try to hand a message to Microsoft ended as one of these, and as nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Graph answered 202.
    Sent,
    /// Not taken, and may be tried again: a limit, an outage, or broken settings.
    Deferred,
    /// Not taken, and never will be: the message's own fault.
    Rejected,
    /// The request may have been taken: its answer never came, or was one that proves nothing.
    InDoubt,
}

impl Outcome {
    pub const ALL: [Self; 4] = [Self::Sent, Self::Deferred, Self::Rejected, Self::InDoubt];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Deferred => "deferred",
            Self::Rejected => "rejected",
            Self::InDoubt => "in_doubt",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == name)
    }
}

/// An outcome with all that was learned with it: what `classify` gives and `decide` takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub outcome: Outcome,
    /// Always there but for a plain 202.
    pub finding: Option<Finding>,
    /// How long Microsoft asked to be left alone; never shortened. With a 202 too.
    pub retry_after: Option<Duration>,
    /// Graph's `request-id`, for Microsoft's support.
    pub graph_request_id: Option<String>,
    /// Graph did not accept the token itself (401): another one may do, once.
    pub token_refused: bool,
}

impl Verdict {
    pub fn sent(graph_request_id: Option<String>) -> Self {
        Self {
            outcome: Outcome::Sent,
            finding: None,
            retry_after: None,
            graph_request_id,
            token_refused: false,
        }
    }

    pub fn of(outcome: Outcome, finding: Finding) -> Self {
        Self {
            outcome,
            finding: Some(finding),
            retry_after: None,
            graph_request_id: None,
            token_refused: false,
        }
    }
}
