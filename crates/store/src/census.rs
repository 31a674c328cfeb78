//! How much there is of everything, counted when somebody asks: for those who watch over the service.

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_domain::{MessageState, ResellerId};

use crate::StoreError;

/// Messages that have not ended, in one state as it is seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backlog {
    /// Whose they are, where that was asked for.
    pub reseller: Option<ResellerId>,
    pub state: MessageState,
    pub messages: i64,
    /// When the first of them is due, or was.
    pub first_due: Timestamp,
}

/// What a lane does, or why it does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LaneState {
    /// It has nothing to do, or is about to be taken.
    Ready,
    /// Somebody drains it.
    Busy,
    /// Nothing is tried before a time: a limit, an outage, or the mailbox's pace.
    Throttled,
    /// Its settings do not work.
    Held,
    /// An operator stopped it.
    Paused,
}

impl LaneState {
    pub const ALL: [Self; 5] = [Self::Ready, Self::Busy, Self::Throttled, Self::Held, Self::Paused];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Busy => "busy",
            Self::Throttled => "throttled",
            Self::Held => "held",
            Self::Paused => "paused",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// When the first credential in use ends, of those that are known to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstExpiry {
    /// Whose it is, where that was asked for.
    pub reseller: Option<ResellerId>,
    pub time: Timestamp,
}

/// Costs as much as there is: not for every call.
#[async_trait]
pub trait Census: Send + Sync {
    /// States without messages are left out.
    async fn backlog(&self, by_reseller: bool) -> Result<Vec<Backlog>, StoreError>;
    /// States without lanes are left out.
    async fn lanes(&self) -> Result<Vec<(LaneState, i64)>, StoreError>;
    async fn first_expiries(&self, by_reseller: bool) -> Result<Vec<FirstExpiry>, StoreError>;
}
