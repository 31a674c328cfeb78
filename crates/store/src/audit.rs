//! The audit as it is kept: events are added by the transaction of what they tell, and never changed.

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_domain::{Act, AuditEvent, ResellerId};

use crate::StoreError;

/// Which events are listed, from the newest to the oldest.
#[derive(Debug, Clone)]
pub struct AuditFilter {
    /// Only what was done to these; `None`: all, also what concerns nobody.
    pub resellers: Option<Vec<ResellerId>>,
    pub since: Timestamp,
    /// Only events before this place.
    pub before: AuditPlace,
    pub limit: u32,
}

/// A place among the events of all chains.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditPlace {
    pub time: Timestamp,
    /// Empty: nobody's.
    pub reseller: String,
    pub number: i64,
}

impl AuditPlace {
    /// Before every event of this time.
    pub fn of_time(time: Timestamp) -> Self {
        Self { time, reseller: String::new(), number: 0 }
    }

    pub fn of(event: &AuditEvent) -> Self {
        Self { time: event.time, reseller: event.chain().to_owned(), number: event.number }
    }
}

#[derive(Debug, Clone)]
pub struct AuditPage {
    pub events: Vec<AuditEvent>,
    /// Whether there is more after the last.
    pub more: bool,
}

#[async_trait]
pub trait AuditStore: Send + Sync {
    /// Tells what changes nothing here: a refusal, or what is about to be done in many steps.
    async fn note(&self, act: Act) -> Result<(), StoreError>;
    async fn audit_events(&self, filter: AuditFilter) -> Result<AuditPage, StoreError>;
}
