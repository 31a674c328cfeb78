//! Lanes that cannot be read: told once and passed over, so that they neither keep the others nor wake anybody for
//! nothing. They count again when their settings are put, or the store is opened anew.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use postrider_domain::Cloud;

use crate::StoreError;
use crate::reads::PassOver;

#[derive(Debug, Default)]
pub(crate) struct PassedOver(Mutex<BTreeSet<String>>);

impl PassedOver {
    pub(crate) fn add(&self, reseller: &str, error: &StoreError) {
        if self.resellers().insert(reseller.to_owned()) {
            tracing::error!(event = "lane_passed_over", reseller, %error, "a lane is passed over: put its settings anew");
        }
    }

    pub(crate) fn forget(&self, reseller: &str) {
        self.resellers().remove(reseller);
    }

    /// And lanes of these clouds.
    pub(crate) fn and(&self, clouds: &[Cloud]) -> PassOver {
        PassOver { resellers: self.resellers().iter().cloned().collect(), clouds: clouds.to_vec() }
    }

    fn resellers(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
