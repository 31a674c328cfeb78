//! What is kept for a key: a token or a refusal, and until when.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use moka::Expiry;
use postrider_domain::{AccessToken, TokenRefusal};
use secrecy::ExposeSecret;

use crate::Slot;
use crate::expiry::{
    RENEW_AGAIN, refusal_serves, token_lasts, token_life, token_renewed_after, token_serves,
};

/// Bytes of an entry beside its token: key, finding, and moka's own books, roughly.
const OVERHEAD_BYTES: usize = 1024;
/// moka cannot add up longer times; none is meant.
const HELD_MAX: Duration = Duration::from_hours(365 * 24);

/// What Entra answered, and until when the answer serves.
pub(crate) struct Entry {
    answer: Result<AccessToken, TokenRefusal>,
    fetched: Timestamp,
    renewed_from: Timestamp,
    fresh_until: Timestamp,
    /// How long a token is used that cannot be renewed.
    last_until: Timestamp,
    /// How long it may lie in memory, and by moka's clock until when.
    held: Duration,
    ends: OnceLock<Instant>,
    renewal: Mutex<Renewal>,
}

/// How the token's renewal goes.
#[derive(Default)]
struct Renewal {
    runs: bool,
    /// The last one failed so, and the next is not made before.
    failed: Option<(TokenRefusal, Timestamp)>,
}

impl Entry {
    /// `chance`, from 0 to 1, says when within its time the token is renewed.
    pub(crate) fn new(answer: Result<AccessToken, TokenRefusal>, now: Timestamp, chance: f64) -> Self {
        let (renewed, serves, lasts, held) = match &answer {
            Ok(token) => {
                let life = positive(token.expire_time.duration_since(now));
                (token_renewed_after(life, chance), token_serves(life), token_lasts(life), token_life(life))
            }
            Err(refusal) => {
                let kept = refusal_serves(refusal);
                (kept, kept, kept, kept)
            }
        };
        Self {
            answer,
            fetched: now,
            renewed_from: later(now, renewed),
            fresh_until: later(now, serves),
            last_until: later(now, lasts),
            held: held.min(HELD_MAX),
            ends: OnceLock::new(),
            renewal: Mutex::default(),
        }
    }

    /// Whether it answers without asking Entra first.
    pub(crate) fn serves(&self, now: Timestamp) -> bool {
        now < if self.renewal().failed.is_some() { self.last_until } else { self.fresh_until }
    }

    /// Whether it is a token that Graph still takes.
    pub(crate) fn lives(&self, now: Timestamp) -> bool {
        self.answer.is_ok() && now < self.last_until
    }

    /// Whether whoever asks this is to renew it now. One at a time is.
    pub(crate) fn begins_renewal(&self, now: Timestamp) -> bool {
        if self.answer.is_err() || now < self.renewed_from {
            return false;
        }
        let mut renewal = self.renewal();
        let waits = renewal.failed.as_ref().is_some_and(|(_, again)| now < *again);
        !waits && !std::mem::replace(&mut renewal.runs, true)
    }

    pub(crate) fn end_renewal(&self) {
        self.renewal().runs = false;
    }

    /// The token is used as long as it lives, and its renewal tried again after a while.
    pub(crate) fn renewal_failed(&self, refusal: TokenRefusal, now: Timestamp) {
        let again = later(now, refusal_serves(&refusal).max(RENEW_AGAIN));
        self.renewal().failed = Some((refusal, again));
    }

    /// As it is now: of the time that Entra asked for, some may have passed.
    pub(crate) fn answer(&self, now: Timestamp) -> Result<AccessToken, TokenRefusal> {
        let mut answer = self.answer.clone();
        if answer.is_ok()
            && now >= self.last_until
            && let Some((refusal, _)) = &self.renewal().failed
        {
            return Err(refusal.clone());
        }
        if let Err(TokenRefusal { retry_after: Some(left), .. }) = &mut answer {
            *left = left.saturating_sub(positive(now.duration_since(self.fetched)));
        }
        answer
    }

    pub(crate) fn weight(&self) -> u32 {
        let token = self.answer.as_ref().map_or(0, |token| token.secret.expose_secret().len());
        u32::try_from(OVERHEAD_BYTES + token).unwrap_or(u32::MAX)
    }

    /// What is left of its time in memory. An entry that is put again, for its renewal failed, gets no more of it.
    fn left(&self, now: Instant) -> Duration {
        self.ends.get_or_init(|| now + self.held).saturating_duration_since(now)
    }

    fn renewal(&self) -> MutexGuard<'_, Renewal> {
        self.renewal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells moka how long to hold an entry.
pub(crate) struct EntryExpiry;

impl Expiry<Slot, Arc<Entry>> for EntryExpiry {
    fn expire_after_create(&self, _: &Slot, entry: &Arc<Entry>, now: Instant) -> Option<Duration> {
        Some(entry.left(now))
    }

    fn expire_after_update(
        &self,
        _: &Slot,
        entry: &Arc<Entry>,
        now: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(entry.left(now))
    }
}

fn later(time: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}

fn positive(time: SignedDuration) -> Duration {
    Duration::try_from(time).unwrap_or_default()
}
