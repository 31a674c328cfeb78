//! Who changed what, from where, in a chain that shows whether an event was altered, put in or taken out.
//!
//! Rules
//! - A chain is one reseller's; what concerns none, or all, is in a chain of its own.
//! - The numbers of a chain begin with 1 and have no gap. An event's hash covers all that it says and the hash before it, so
//!   whoever kept a hash can tell whether all that came before is still what it was.
//! - A chain that was cut at its newest end, or written anew from some event on, is whole in itself: only a hash kept elsewhere
//!   shows it.
//!
//! Does not know: where events are kept.

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};
use jiff::Timestamp;

use crate::ResellerId;

/// What is hashed first, so that another form of events gives other hashes.
const FORM: &[u8] = b"postrider audit 1";

/// Who does what, from where. It becomes an event of each reseller it is done to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// The id of the caller's key.
    pub actor: String,
    /// The RPC's name.
    pub action: String,
    /// Whom it is done to. Empty: nobody, or all.
    pub resellers: Vec<ResellerId>,
    /// The network address that the call came from.
    pub source_address: String,
    /// What changed, by name. Never a secret, an address or a subject.
    pub details: BTreeMap<String, String>,
}

/// One event of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEvent {
    /// Absent: it is of the chain of nobody's.
    pub reseller: Option<ResellerId>,
    pub number: i64,
    /// To the microsecond; never before that of the event before.
    pub time: Timestamp,
    pub actor: String,
    pub action: String,
    pub source_address: String,
    pub details: BTreeMap<String, String>,
    /// The hash of the event before.
    pub previous_hash: ChainHash,
    /// As it was written down: what it should be, [`Self::hashed`] tells.
    pub hash: ChainHash,
}

/// SHA-256 over an event and the hash before it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ChainHash(pub [u8; 32]);

/// What is wrong with a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BrokenChain {
    #[error("was altered: its hash is another than what it says gives")]
    Altered,
    #[error("does not follow the event before it: one was taken out, put in, or altered")]
    Torn,
}

impl ChainHash {
    /// What the first event of a chain follows.
    pub const START: Self = Self([0; 32]);

    pub fn parse(text: &str) -> Option<Self> {
        let (mut bytes, text) = ([0; 32], text.as_bytes());
        if text.len() != 64 || !text.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(text.chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl AuditEvent {
    /// The reseller's slug; empty: nobody's.
    pub fn chain(&self) -> &str {
        self.reseller.as_ref().map_or("", ResellerId::as_str)
    }

    /// The hash of what it says.
    #[must_use]
    pub fn hashed(&self) -> ChainHash {
        let (number, time) = (self.number.to_be_bytes(), self.time.as_microsecond().to_be_bytes());
        let said = [self.chain(), &self.actor, &self.action, &self.source_address].map(str::as_bytes);
        let mut context = Context::new(&SHA256);
        // Each behind its length, so that no two events give the same bytes.
        let mut add = |part: &[u8]| {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        };
        [FORM, &self.previous_hash.0, &number, &time].into_iter().chain(said).for_each(&mut add);
        self.details.iter().flat_map(|(name, value)| [name, value]).for_each(|text| add(text.as_bytes()));
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        ChainHash(hash)
    }

    /// Whether it is as it was written, and follows `before`, where that is known.
    pub fn check(&self, before: Option<&Self>) -> Result<(), BrokenChain> {
        if self.hashed() != self.hash {
            return Err(BrokenChain::Altered);
        }
        let follows = match before {
            Some(before) => before.number + 1 == self.number && before.hash == self.previous_hash,
            None => (self.number == 1) == (self.previous_hash == ChainHash::START),
        };
        if follows { Ok(()) } else { Err(BrokenChain::Torn) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: i64, previous_hash: ChainHash) -> AuditEvent {
        let mut event = AuditEvent {
            reseller: ResellerId::parse("acme").ok(),
            number,
            time: Timestamp::UNIX_EPOCH,
            actor: "k1".to_owned(),
            action: "PutSettings".to_owned(),
            source_address: "192.0.2.1".to_owned(),
            details: BTreeMap::from([("changed".to_owned(), "pace".to_owned())]),
            previous_hash,
            hash: ChainHash::START,
        };
        event.hash = event.hashed();
        event
    }

    #[test]
    fn an_event_follows_the_one_before_it_and_no_other() {
        let first = event(1, ChainHash::START);
        let second = event(2, first.hash);
        assert_eq!(first.check(None), Ok(()));
        assert_eq!(second.check(Some(&first)), Ok(()));
        assert_eq!(event(3, second.hash).check(Some(&first)), Err(BrokenChain::Torn));
        assert_eq!(event(2, ChainHash::START).check(None), Err(BrokenChain::Torn), "the first was taken out");
    }

    #[test]
    fn whatever_an_event_says_is_in_its_hash() {
        let whole = event(1, ChainHash::START);
        let altered = [
            AuditEvent { reseller: None, ..whole.clone() },
            AuditEvent { time: Timestamp::MAX, ..whole.clone() },
            AuditEvent { actor: "k2".to_owned(), ..whole.clone() },
            AuditEvent { action: "GetSettings".to_owned(), ..whole.clone() },
            AuditEvent { source_address: String::new(), ..whole.clone() },
            AuditEvent { details: BTreeMap::new(), ..whole.clone() },
        ];
        for event in altered {
            assert_eq!(event.check(None), Err(BrokenChain::Altered), "{event:?}");
        }
        // What moves from one field to the next is not the same.
        let moved = AuditEvent { actor: "k1P".to_owned(), action: "utSettings".to_owned(), ..whole.clone() };
        assert_eq!(moved.check(None), Err(BrokenChain::Altered));
    }

    #[test]
    fn a_hash_reads_back_as_it_was_shown() {
        let hash = event(1, ChainHash::START).hash;
        assert_eq!(ChainHash::parse(&hash.to_string()), Some(hash));
        assert_eq!(ChainHash::parse("00"), None);
        assert_eq!(ChainHash::parse(&"+1".repeat(32)), None, "a sign is no digit");
    }
}
