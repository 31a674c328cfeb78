//! How much there may be: of one request, and of the queue.

use postrider_domain::limits::{MESSAGE_BYTES_MAX, MESSAGE_BYTES_MIN, REQUEST_REST_BYTES};
use postrider_store::QueueBounds;
use serde::Deserialize;

use super::Fault;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Bytes of one serialized `Email`.
    pub message_bytes: usize,
    /// Unfinished messages of all resellers, and bytes of their content.
    pub queued_messages: u64,
    pub queued_bytes: u64,
    /// The same of one reseller.
    pub queued_messages_per_reseller: u64,
    pub queued_bytes_per_reseller: u64,
}

impl Limits {
    /// Bytes of one decoded request, for the transport.
    pub fn request_bytes(self) -> usize {
        self.message_bytes + REQUEST_REST_BYTES
    }

    /// Of one reseller's queue.
    pub fn of_reseller(self) -> QueueBounds {
        bounds(self.queued_messages_per_reseller, self.queued_bytes_per_reseller)
    }

    /// Of the whole queue.
    pub fn of_all(self) -> QueueBounds {
        bounds(self.queued_messages, self.queued_bytes)
    }

    pub(super) fn check(self) -> Result<(), Fault> {
        let positive = [
            ("limits.queued_messages", self.queued_messages),
            ("limits.queued_bytes", self.queued_bytes),
            ("limits.queued_messages_per_reseller", self.queued_messages_per_reseller),
            ("limits.queued_bytes_per_reseller", self.queued_bytes_per_reseller),
        ];
        if let Some((key, _)) = positive.into_iter().find(|(_, value)| *value == 0) {
            return Err(Fault { key, problem: "must be at least 1".to_owned() });
        }
        if (MESSAGE_BYTES_MIN..=MESSAGE_BYTES_MAX).contains(&self.message_bytes) {
            return Ok(());
        }
        let problem = format!("must be {MESSAGE_BYTES_MIN} to {MESSAGE_BYTES_MAX}");
        Err(Fault { key: "limits.message_bytes", problem })
    }
}

fn bounds(messages: u64, bytes: u64) -> QueueBounds {
    let number = |number| i64::try_from(number).unwrap_or(i64::MAX);
    QueueBounds { messages: number(messages), bytes: number(bytes) }
}
