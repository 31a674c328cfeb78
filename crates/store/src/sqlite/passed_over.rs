//! Lanes that cannot be read: told once and passed over, so that they neither keep the others nor wake anybody for
//! nothing. They count again when their settings are put, or the store is opened anew.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::cells::json;
use crate::StoreError;

#[derive(Debug, Default)]
pub(super) struct PassedOver(Mutex<BTreeSet<String>>);

impl PassedOver {
    pub(super) fn add(&self, reseller: &str, error: &StoreError) {
        if self.resellers().insert(reseller.to_owned()) {
            tracing::error!(reseller, %error, "a lane is passed over: put its settings anew");
        }
    }

    pub(super) fn forget(&self, reseller: &str) {
        self.resellers().remove(reseller);
    }

    /// A JSON array, for the statements that find lanes.
    pub(super) fn json(&self) -> String {
        json(&*self.resellers())
    }

    fn resellers(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
