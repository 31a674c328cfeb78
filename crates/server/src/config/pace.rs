//! How fast one mailbox is used.

use postrider_domain::PaceLimits;
use postrider_domain::limits::MAILBOX_CONCURRENCY_MAX;
use serde::Deserialize;

use super::Fault;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pace {
    pub concurrency: u32,
    /// 0: no limit.
    pub messages_per_minute: u32,
    /// 0: no limit.
    pub recipients_per_day: u32,
}

impl Pace {
    /// The operator's limits.
    pub fn limits(self) -> PaceLimits {
        PaceLimits {
            concurrency: self.concurrency,
            messages_per_minute: self.messages_per_minute,
            recipients_per_day: self.recipients_per_day,
        }
    }

    pub(super) fn check(self) -> Result<(), Fault> {
        if (1..=MAILBOX_CONCURRENCY_MAX).contains(&self.concurrency) {
            return Ok(());
        }
        let problem =
            format!("must be 1 to {MAILBOX_CONCURRENCY_MAX}, which is Microsoft's limit for a mailbox");
        Err(Fault { key: "pace.concurrency", problem })
    }
}
