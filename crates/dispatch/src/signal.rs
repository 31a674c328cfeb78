//! What a running lane is told from outside.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

#[derive(Debug, Default)]
pub(crate) struct Signal {
    woken: Notify,
    settings_changed: AtomicBool,
}

impl Signal {
    pub(crate) fn wake(&self) {
        self.woken.notify_one();
    }

    pub(crate) fn settings_changed(&self) {
        self.settings_changed.store(true, Ordering::Release);
        self.woken.notify_one();
    }

    /// Returns once woken, also if that was before.
    pub(crate) async fn woken(&self) {
        self.woken.notified().await;
    }

    pub(crate) fn take_settings_changed(&self) -> bool {
        self.settings_changed.swap(false, Ordering::AcqRel)
    }
}
