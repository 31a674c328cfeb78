//! What is kept for a key: a token or a refusal, and until when.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use moka::Expiry;
use postrider_domain::{AccessToken, TokenRefusal};
use secrecy::ExposeSecret;

use crate::Slot;
use crate::expiry::{refusal_serves, token_life, token_serves};

/// Bytes of an entry beside its token: key, finding, and moka's own books, roughly.
const OVERHEAD_BYTES: usize = 1024;
/// moka cannot add up longer times; none is meant.
const HELD_MAX: Duration = Duration::from_hours(365 * 24);

/// What Entra answered, and until when the answer serves.
pub(crate) struct Entry {
    answer: Result<AccessToken, TokenRefusal>,
    fetched: Timestamp,
    fresh_until: Timestamp,
    /// How long it may lie in memory.
    held: Duration,
}

impl Entry {
    pub(crate) fn new(answer: Result<AccessToken, TokenRefusal>, now: Timestamp) -> Self {
        let (serves, held) = match &answer {
            Ok(token) => {
                let life = positive(token.expire_time.duration_since(now));
                (token_serves(life), token_life(life))
            }
            Err(refusal) => (refusal_serves(refusal), refusal_serves(refusal)),
        };
        Self { answer, fetched: now, fresh_until: later(now, serves), held: held.min(HELD_MAX) }
    }

    pub(crate) fn is_fresh(&self, now: Timestamp) -> bool {
        now < self.fresh_until
    }

    /// As it is now: of the time that Entra asked for, some may have passed.
    pub(crate) fn answer(&self, now: Timestamp) -> Result<AccessToken, TokenRefusal> {
        let mut answer = self.answer.clone();
        if let Err(TokenRefusal { retry_after: Some(left), .. }) = &mut answer {
            *left = left.saturating_sub(positive(now.duration_since(self.fetched)));
        }
        answer
    }

    pub(crate) fn weight(&self) -> u32 {
        let token = self.answer.as_ref().map_or(0, |token| token.secret.expose_secret().len());
        u32::try_from(OVERHEAD_BYTES + token).unwrap_or(u32::MAX)
    }
}

/// Tells moka how long to hold an entry.
pub(crate) struct EntryExpiry;

impl Expiry<Slot, Arc<Entry>> for EntryExpiry {
    fn expire_after_create(&self, _: &Slot, entry: &Arc<Entry>, _: Instant) -> Option<Duration> {
        Some(entry.held)
    }

    fn expire_after_update(
        &self,
        _: &Slot,
        entry: &Arc<Entry>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(entry.held)
    }
}

fn later(time: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}

fn positive(time: SignedDuration) -> Duration {
    Duration::try_from(time).unwrap_or_default()
}
