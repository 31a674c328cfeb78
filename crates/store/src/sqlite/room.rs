//! Room to finish: below a floor of free disk no new mail is written, so that the outcomes of calls in flight still are.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// How long one look at the disk holds.
const LOOKED_FOR: SignedDuration = SignedDuration::from_millis(500);

#[derive(Debug)]
pub(super) struct Room {
    directory: PathBuf,
    free_bytes_min: u64,
    last: Mutex<Option<Look>>,
}

#[derive(Debug, Clone)]
struct Look {
    time: Timestamp,
    full: Option<String>,
}

impl Room {
    pub(super) fn new(directory: &Path, free_bytes_min: u64) -> Self {
        Self { directory: directory.to_owned(), free_bytes_min, last: Mutex::default() }
    }

    /// `Some`: there is too little, in words for the operator.
    pub(super) fn full(&self, now: Timestamp) -> Option<String> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(look) = &*last
            && now.duration_since(look.time).abs() < LOOKED_FOR
        {
            return look.full.clone();
        }
        let full = self.look();
        *last = Some(Look { time: now, full: full.clone() });
        full
    }

    /// A disk that does not tell is taken to have room: SQLite will say when it has none.
    fn look(&self) -> Option<String> {
        let disk = rustix::fs::statvfs(&self.directory).ok()?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        (free < self.free_bytes_min).then(|| {
            format!(
                "{} has {free} bytes free, and {} are kept for what was accepted already",
                self.directory.display(),
                self.free_bytes_min
            )
        })
    }
}
