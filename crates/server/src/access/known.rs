//! Keys read a moment ago, so that a busy caller does not cost a read for each call.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use postrider_store::{AccessKey, KeyId};

/// How long a key counts as read. A key revoked by another replica is refused within this.
pub(super) const KNOWN_FOR: SignedDuration = SignedDuration::from_millis(500);
/// How often the last use of a key is written down.
const TOUCHED_EVERY: SignedDuration = SignedDuration::from_secs(60);
/// Keys remembered; more than that start over.
const KEYS_MAX: usize = 10_000;

#[derive(Default)]
pub(super) struct KnownKeys(Mutex<HashMap<KeyId, Known>>);

struct Known {
    key: Arc<AccessKey>,
    read: Timestamp,
    touched: Option<Timestamp>,
}

impl KnownKeys {
    pub(super) fn get(&self, id: &KeyId, now: Timestamp) -> Option<Arc<AccessKey>> {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.get(id).filter(|known| is_within(known.read, now, KNOWN_FOR)).map(|known| known.key.clone())
    }

    /// Remembers a key that was found good, and says whether its use is to be written down now.
    pub(super) fn keep(&self, key: &Arc<AccessKey>, now: Timestamp) -> bool {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= KEYS_MAX && !keys.contains_key(&key.id) {
            keys.clear();
        }
        let fresh = || Known { key: key.clone(), read: now, touched: key.last_use_time };
        let known = keys.entry(key.id.clone()).or_insert_with(fresh);
        if !Arc::ptr_eq(&known.key, key) {
            known.key = key.clone();
            known.read = now;
        }
        let due = known.touched.is_none_or(|touched| !is_within(touched, now, TOUCHED_EVERY));
        if due {
            known.touched = Some(now);
        }
        due
    }

    pub(super) fn forget(&self, id: &KeyId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}

/// A time in the future counts as long past: the clock was set back.
fn is_within(then: Timestamp, now: Timestamp, span: SignedDuration) -> bool {
    let age = now.duration_since(then);
    !age.is_negative() && age < span
}
