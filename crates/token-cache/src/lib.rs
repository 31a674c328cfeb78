//! Access tokens, each with its own expiry, fetched once for all who wait.
//!
//! Entra throttles a directory that asks too often, and a whole service that asks in vain: so one token serves all who
//! need it, and a refusal that will not change by itself is remembered for a while, too.
//!
//! Rules
//! - A token serves until shortly before its end (`expiry.rs`), and only the [`TokenKey`] it was fetched for.
//! - It is renewed ahead of that by whoever asks for it then, in the background, at a point that differs by key: those
//!   that were fetched together are not renewed together. What nobody asks for is not renewed.
//! - A token that cannot be renewed is used as long as it lives, whatever the reason.
//! - One fetch at a time for a key: all who come while it runs share its answer, a refusal as well as a token.
//! - A refusal that nobody keeps is shared by those who waited for it, and the next to come fetches anew.
//! - A fetch that began before [`TokenCache::forget_reseller`] answers nobody who came after it.
//! - The fetch runs in a task of its own: a caller that goes away cancels nothing, and the answer is kept.
//!
//! A fetch that panics does so in the caller that gave it; the next in line runs its own.
//! Two clocks: validity goes by [`Clock`]. moka's own, which cannot be set back, ends entries no later than the token
//! itself ends, and frees their memory.
//! Knows: the clock. Does not know: Entra, credentials, settings.
//! Read first: `a_thousand_callers_share_one_fetch` in `tests.rs`.

mod entry;
mod expiry;
mod generation;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::resume_unwind;
use std::sync::Arc;

use moka::future::Cache;
use moka::policy::EvictionPolicy;
use postrider_domain::{AccessToken, Clock, ResellerId, TokenKey, TokenRefusal};

use entry::{Entry, EntryExpiry};
use generation::Generations;

/// Cheap to clone: all clones are one cache.
#[derive(Clone)]
pub struct TokenCache {
    entries: Cache<Slot, Arc<Entry>>,
    generations: Arc<Generations>,
    clock: Arc<dyn Clock>,
}

/// Where an entry lies: settings that were forgotten leave theirs behind, out of reach.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Slot {
    key: TokenKey,
    generation: u64,
}

impl TokenCache {
    /// Holds at most `bytes_max`, and lets go of what was not used for longest.
    pub fn new(bytes_max: u64, clock: Arc<dyn Clock>) -> Self {
        let entries = Cache::builder()
            .max_capacity(bytes_max)
            .weigher(|_, entry: &Arc<Entry>| entry.weight())
            // Why: moka's default turns newcomers away when full, and they would fetch for each mail.
            .eviction_policy(EvictionPolicy::lru())
            .expire_after(EntryExpiry)
            .build();
        Self { entries, generations: Arc::default(), clock }
    }

    /// The token kept for the key, or the refusal, or the answer of `fetch`.
    ///
    /// `fetch` is called only if nothing is kept and no other fetch for the key runs. It outlives a caller that goes
    /// away, so it brings its own deadline, and the span it is to be traced in.
    pub async fn get_or_fetch<F, Fut>(&self, key: TokenKey, fetch: F) -> Result<AccessToken, TokenRefusal>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<AccessToken, TokenRefusal>> + Send + 'static,
    {
        let slot = Slot { generation: self.generations.of(&key.reseller), key };
        let now = self.clock.now();
        let kept = self.entries.get(&slot).await;
        if let Some(entry) = kept.as_ref().filter(|entry| entry.serves(now)) {
            if entry.begins_renewal(now) {
                tokio::spawn(self.clone().fetch_once(slot, kept.clone(), fetch));
            }
            return entry.answer(now);
        }
        match tokio::spawn(self.clone().fetch_once(slot, kept, fetch)).await {
            Ok(entry) => entry.answer(self.clock.now()),
            Err(ended) => match ended.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                // Only a runtime that shuts down cancels the task, and it drops this caller too.
                Err(_) => std::future::pending().await,
            },
        }
    }

    /// For a token that Graph refused.
    pub async fn forget(&self, key: &TokenKey) {
        let slot = Slot { generation: self.generations.of(&key.reseller), key: key.clone() };
        self.entries.invalidate(&slot).await;
    }

    /// For a reseller whose settings changed, or were just seen to work.
    pub fn forget_reseller(&self, reseller: &ResellerId) {
        self.generations.next(reseller);
    }

    /// `until_now` is what was kept, and is put again where nothing better is to be had.
    async fn fetch_once<F, Fut>(self, slot: Slot, until_now: Option<Arc<Entry>>, fetch: F) -> Arc<Entry>
    where
        F: FnOnce() -> Fut + Send,
        Fut: Future<Output = Result<AccessToken, TokenRefusal>> + Send,
    {
        let _renewal = until_now.clone().map(RenewalEnds);
        let (reseller, chance) = (slot.key.reseller.clone(), chance(&slot));
        let fetched = async {
            let (result, now) = (fetch().await, self.clock.now());
            match (result, &until_now) {
                (Err(refusal), Some(entry)) if entry.lives(now) => {
                    tracing::warn!(
                        event = "token_renewal_failed", %reseller, finding = %refusal.finding.code,
                        "the token cannot be renewed and is used as long as it lives"
                    );
                    entry.renewal_failed(refusal, now);
                    Arc::clone(entry)
                }
                (result, _) => Arc::new(Entry::new(result, now, chance)),
            }
        };
        let is_until_now =
            |entry: &Arc<Entry>| until_now.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, entry));
        let stale = |entry: &Arc<Entry>| is_until_now(entry) || !entry.serves(self.clock.now());
        self.entries.entry(slot).or_insert_with_if(fetched, stale).await.into_value()
    }
}

/// A renewal ends, however it does.
struct RenewalEnds(Arc<Entry>);

impl Drop for RenewalEnds {
    fn drop(&mut self) {
        self.0.end_renewal();
    }
}

/// From 0 to 1, and always the same for a slot.
fn chance(slot: &Slot) -> f64 {
    let mut hasher = DefaultHasher::new();
    slot.hash(&mut hasher);
    let sixteen_bits = u16::try_from(hasher.finish() & 0xffff).unwrap_or_default();
    f64::from(sixteen_bits) / f64::from(u16::MAX)
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").finish_non_exhaustive()
    }
}
