//! The store in one SQLite file (WAL, synchronous FULL): one connection writes, a few read.
//!
//! | file | does |
//! | --- | --- |
//! | `open` | finds or makes the file, checks it, brings its schema up to date, tidies up after the process before |
//! | `writer` | group commit, and what happens when a COMMIT fails |
//! | `accept`, `read`, `lease`, `record` | the verbs of [`Outbox`](crate::Outbox) |
//! | `settings`, `access`, `sealed`, `credential_change` | the other traits |
//! | `seen` | how a message reads with its lane |
//! | `cells` | columns to domain values |
//! | `passed_over` | lanes that cannot be read |
//!
//! The statements are in `sql/sqlite/<verb>/`, the tables in `migrations/sqlite/`. Several statements of a file are one
//! round trip; their parameters are `$1`, for with gaps between `?1` and `?3` sqlx leaves later statements unbound.
//! Reads see what is committed.
//! Does not know: who calls.

/// A statement by its path under `sql/sqlite/`.
macro_rules! sql {
    ($path:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/sqlite/", $path, ".sql"))
    };
}

mod accept;
mod access;
mod cells;
mod credential_change;
mod lease;
mod open;
mod outbox;
mod passed_over;
mod read;
mod record;
mod sealed;
mod seen;
mod settings;
mod writer;

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use postrider_domain::Clock;
use sqlx::sqlite::SqlitePool;
use tokio::sync::watch;

use self::open::{Opened, Place};
use self::passed_over::PassedOver;
use self::writer::{Write, Writes};
use crate::{Store, StoreError, StoreHealth, StoreKind};

/// All that is in the database, in one file.
#[derive(Debug)]
pub struct SqliteStore {
    shared: Arc<Shared>,
    writes: Writes,
    clock: Arc<dyn Clock>,
}

impl SqliteStore {
    /// Opens the file, or makes it where there is none; its directory must be there. It is locked (`<file>.lock`) until
    /// it was closed, or all that waits was written after a drop. Needs a Tokio runtime, which the writer lives on.
    pub async fn open(path: &Path, kind: StoreKind, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let place = Place::new(path, kind);
        let lock = place.lock()?;
        let Opened { writer, reader } = place.open(&lock, clock.now()).await?;
        let shared = Arc::new(Shared::new(place, reader));
        let writes = Writes::start(writer, lock, Arc::clone(&shared));
        Ok(Self { shared, writes, clock })
    }

    /// Lets the writes that wait be done, then closes the file; every later call is refused.
    pub async fn close(&self) {
        self.writes.close().await;
    }

    /// For reads. What is read is committed.
    fn reader(&self) -> SqlitePool {
        self.shared.reader()
    }

    async fn write<W: Write>(&self, write: W) -> Result<W::Answer, StoreError> {
        self.writes.write(write).await
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl Store for SqliteStore {
    fn health(&self) -> watch::Receiver<StoreHealth> {
        self.shared.health.subscribe()
    }
}

/// What the writer and the readers share.
#[derive(Debug)]
struct Shared {
    place: Place,
    /// Replaced when the file is opened again.
    reader: RwLock<SqlitePool>,
    health: watch::Sender<StoreHealth>,
    passed_over: PassedOver,
    #[cfg(test)]
    faults: std::sync::Mutex<std::collections::VecDeque<Fault>>,
}

/// What the next COMMIT does instead, in tests.
#[cfg(test)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// It fails, and nothing was written.
    CommitLost,
    /// It fails, and all was written.
    AnswerLost,
}

impl Shared {
    fn new(place: Place, reader: SqlitePool) -> Self {
        Self {
            place,
            reader: RwLock::new(reader),
            health: watch::Sender::new(StoreHealth::Serving),
            passed_over: PassedOver::default(),
            #[cfg(test)]
            faults: std::sync::Mutex::default(),
        }
    }

    fn reader(&self) -> SqlitePool {
        self.reader.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_reader(&self, reader: SqlitePool) {
        *self.reader.write().unwrap_or_else(PoisonError::into_inner) = reader;
    }

    async fn close_reader(&self) {
        self.reader().close().await;
    }

    fn is_serving(&self) -> bool {
        *self.health.borrow() == StoreHealth::Serving
    }

    fn set_health(&self, health: StoreHealth) {
        self.health.send_if_modified(|now| std::mem::replace(now, health) != health);
    }

    #[cfg(test)]
    fn next_fault(&self) -> Option<Fault> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

/// SQLite's result code; an extended one keeps it in the low byte.
fn result_code(error: &sqlx::Error) -> Option<i64> {
    let code: i64 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

const SQLITE_FULL: i64 = 13;

/// An error before COMMIT, or of a read.
#[expect(clippy::needless_pass_by_value, reason = "given to map_err")]
fn failed(error: sqlx::Error) -> StoreError {
    let cause = error.to_string();
    if result_code(&error) == Some(SQLITE_FULL) {
        StoreError::Full { cause }
    } else {
        StoreError::Unavailable { cause }
    }
}
