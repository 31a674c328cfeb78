//! How long what ended is kept.

use std::time::Duration;

use serde::Deserialize;

use super::{Fault, span};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Content of mail that was sent.
    #[serde(deserialize_with = "span::deserialize")]
    pub content: Duration,
    /// State and attempts.
    #[serde(deserialize_with = "span::deserialize")]
    pub history: Duration,
}

const HISTORY_MIN: Duration = Duration::from_hours(24);
const HISTORY_MAX: Duration = Duration::from_hours(10 * 366 * 24);

impl Retention {
    pub(super) fn check(self) -> Result<(), Fault> {
        if !(HISTORY_MIN..=HISTORY_MAX).contains(&self.history) {
            return Err(Fault { key: "retention.history", problem: "must be 1d to 3660d".to_owned() });
        }
        if self.content > self.history {
            let problem = "must not be longer than retention.history".to_owned();
            return Err(Fault { key: "retention.content", problem });
        }
        Ok(())
    }
}
