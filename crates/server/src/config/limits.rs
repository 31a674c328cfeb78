//! How much one request may bring.

use serde::Deserialize;

use super::Fault;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Bytes of one serialized `Email`.
    pub message_bytes: usize,
}

/// The largest mail Exchange Online can be made to take is 150 MB.
const MESSAGE_BYTES_MAX: usize = 150 * 1024 * 1024;
const MESSAGE_BYTES_MIN: usize = 1024;
/// Room for what stands beside the email in a request: ids, labels, times.
const REQUEST_REST_BYTES: usize = 64 * 1024;

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
