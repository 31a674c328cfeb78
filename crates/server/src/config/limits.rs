//! How much there may be: of one request, and of the queue.

use postrider_domain::limits::{BATCH_BYTES_MAX, MESSAGE_BYTES_MAX, MESSAGE_BYTES_MIN, REQUEST_REST_BYTES};
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
    /// Of one listener.
    pub connections: usize,
    /// The same from one IPv4 address, or one /64 of IPv6.
    pub connections_per_address: usize,
    /// Bytes of requests that are received or worked on, of all callers together.
    pub request_bytes: usize,
    /// 0: no limit.
    pub calls_per_second_per_caller: u32,
    pub calls_per_second_per_reseller: u32,
    pub sign_ins_per_minute_per_address: u32,
}

impl Limits {
    /// Bytes of one decoded request, for the transport.
    pub fn one_request_bytes(self) -> usize {
        self.message_bytes + REQUEST_REST_BYTES
    }

    /// The same of a batch.
    pub fn batch_bytes(self) -> usize {
        self.one_request_bytes().max(BATCH_BYTES_MAX)
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
        let connections = [
            ("limits.connections", self.connections),
            ("limits.connections_per_address", self.connections_per_address),
        ];
        if let Some((key, _)) = connections.into_iter().find(|(_, value)| *value == 0) {
            return Err(Fault { key, problem: "must be at least 1".to_owned() });
        }
        let least = 2 * self.batch_bytes();
        if self.request_bytes < least {
            let problem = format!("must be at least {least}: twice the largest request that there may be");
            return Err(Fault { key: "limits.request_bytes", problem });
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
