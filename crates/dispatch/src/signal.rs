//! What a running lane is told from outside.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

#[derive(Debug, Default)]
pub(crate) struct Signal {
    woken: Notify,
    changed: AtomicBool,
}

impl Signal {
    pub(crate) fn wake(&self) {
        self.woken.notify_one();
    }

    /// Its settings, or whether it is paused, are others.
    pub(crate) fn lane_changed(&self) {
        self.changed.store(true, Ordering::Release);
        self.woken.notify_one();
    }

    /// Returns once woken, also if that was before.
    pub(crate) async fn woken(&self) {
        self.woken.notified().await;
    }

    pub(crate) fn take_changed(&self) -> bool {
        self.changed.swap(false, Ordering::AcqRel)
    }
}
