//! How much one request may bring.

use postrider_domain::limits::{MESSAGE_BYTES_MAX, MESSAGE_BYTES_MIN, REQUEST_REST_BYTES};
use serde::Deserialize;

use super::Fault;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Bytes of one serialized `Email`.
    pub message_bytes: usize,
}

impl Limits {
    /// Bytes of one decoded request, for the transport.
    pub fn request_bytes(self) -> usize {
        self.message_bytes + REQUEST_REST_BYTES
    }

    pub(super) fn check(self) -> Result<(), Fault> {
        if (MESSAGE_BYTES_MIN..=MESSAGE_BYTES_MAX).contains(&self.message_bytes) {
            return Ok(());
        }
        let problem = format!("must be {MESSAGE_BYTES_MIN} to {MESSAGE_BYTES_MAX}");
        Err(Fault { key: "limits.message_bytes", problem })
    }
}
