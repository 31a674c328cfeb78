//! Keys read a moment ago, so that a busy caller does not cost a read for each call.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use postrider_domain::limits::KEYS_KNOWN_MAX;
use postrider_store::{AccessKey, KeyId};

/// How long a key counts as read. A key revoked by another replica is refused within this.
pub(super) const KNOWN_FOR: SignedDuration = SignedDuration::from_millis(500);
/// How often the last use of a key is written down.
const TOUCHED_EVERY: SignedDuration = SignedDuration::from_secs(60);

#[derive(Default)]
pub(super) struct KnownKeys(Mutex<State>);

#[derive(Default)]
struct State {
    keys: HashMap<KeyId, Known>,
    epoch: Epoch,
}

/// Rises with every key that is forgotten: what was looked up before may have been revoked meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Epoch(u64);

struct Known {
    key: Arc<AccessKey>,
    read: Timestamp,
    touched: Option<Timestamp>,
}

impl KnownKeys {
    /// To be asked before a key is looked up.
    pub(super) fn epoch(&self) -> Epoch {
        self.lock().epoch
    }

    pub(super) fn get(&self, id: &KeyId, now: Timestamp) -> Option<Arc<AccessKey>> {
        let state = self.lock();
        let known = state.keys.get(id);
        known.filter(|known| is_within(known.read, now, KNOWN_FOR)).map(|known| known.key.clone())
    }

    /// Whether it was let in before, however long ago.
    pub(super) fn has_seen(&self, id: &KeyId) -> bool {
        self.lock().keys.contains_key(id)
    }

    /// Remembers a key that was found good, and says whether its use is to be written down now. One that was looked up
    /// in an earlier epoch is let in this once, and not remembered.
    pub(super) fn keep(&self, key: &Arc<AccessKey>, now: Timestamp, looked_up: Epoch) -> bool {
        let mut state = self.lock();
        if state.epoch != looked_up {
            return false;
        }
        let keys = &mut state.keys;
        // More than that start over.
        if keys.len() >= KEYS_KNOWN_MAX && !keys.contains_key(&key.id) {
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
        let mut state = self.lock();
        state.keys.remove(id);
        state.epoch.0 += 1;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A time in the future counts as long past: the clock was set back.
fn is_within(then: Timestamp, now: Timestamp, span: SignedDuration) -> bool {
    let age = now.duration_since(then);
    !age.is_negative() && age < span
}

#[cfg(test)]
mod tests {
    use postrider_store::{KeyHash, Scope};

    use super::*;

    #[test]
    fn a_key_that_was_looked_up_before_it_was_revoked_is_not_remembered() {
        let (known, now) = (KnownKeys::default(), Timestamp::UNIX_EPOCH);
        let key = Arc::new(AccessKey {
            id: KeyId::of_text("k"),
            name: "test".to_owned(),
            hash: KeyHash([0; 32]),
            scopes: vec![Scope::Send],
            resellers: Vec::new(),
            create_time: now,
            expire_time: None,
            last_use_time: None,
            revoke_time: None,
        });
        let looked_up = known.epoch();
        known.forget(&key.id);
        known.keep(&key, now, looked_up);
        assert!(known.get(&key.id, now).is_none());
        known.keep(&key, now, known.epoch());
        assert!(known.get(&key.id, now).is_some());
    }
}
