//! How long a lane belongs to one process.

use std::time::Duration;

use serde::Deserialize;

use super::{Fault, span};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lease {
    #[serde(deserialize_with = "span::deserialize")]
    pub duration: Duration,
}

/// A holder trusts its lease less a margin of a second, so a shorter one would leave it no time to work.
const DURATION_MIN: Duration = Duration::from_secs(2);
const DURATION_MAX: Duration = Duration::from_mins(5);

impl Lease {
    pub(super) fn check(self) -> Result<(), Fault> {
        if (DURATION_MIN..=DURATION_MAX).contains(&self.duration) {
            return Ok(());
        }
        Err(Fault { key: "lease.duration", problem: "must be 2s to 5m".to_owned() })
    }
}
