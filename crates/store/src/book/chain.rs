//! The ends of audit chains, and what is added to them.

use jiff::Timestamp;
use postrider_domain::{Act, AuditEvent, ChainHash, ResellerId};

use super::Book;

/// Where a chain ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChainRow {
    pub number: i64,
    pub time: Timestamp,
    pub hash: ChainHash,
}

impl ChainRow {
    /// Of a chain without events.
    pub(crate) const START: Self = Self { number: 0, time: Timestamp::UNIX_EPOCH, hash: ChainHash::START };
}

/// The chains that an act is told in.
pub(crate) fn chains(act: &Act) -> Vec<Option<ResellerId>> {
    if act.resellers.is_empty() { vec![None] } else { act.resellers.iter().cloned().map(Some).collect() }
}

impl Book {
    /// An event in each chain of the act.
    pub(crate) fn audit(&mut self, act: &Act) {
        for reseller in chains(act) {
            let Some(end) = self.chains.change(&reseller) else { continue };
            let mut event = AuditEvent {
                reseller,
                number: end.number + 1,
                // Whole microseconds, as they are kept; a clock that went back turns no chain around.
                time: Timestamp::from_microsecond(self.now.as_microsecond())
                    .unwrap_or(self.now)
                    .max(end.time),
                actor: act.actor.clone(),
                action: act.action.clone(),
                source_address: act.source_address.clone(),
                details: act.details.clone(),
                previous_hash: end.hash,
                hash: ChainHash::START,
            };
            event.hash = event.hashed();
            *end = ChainRow { number: event.number, time: event.time, hash: event.hash };
            self.written.audit.push(event);
        }
    }
}
