//! The store in one SQLite file (WAL, synchronous FULL): one connection writes, a few read.
//!
//! | file | does |
//! | --- | --- |
//! | `open` | finds or makes the file, checks it, brings its schema up to date, tidies up after the process before |
//! | `connection` | the one connection that writes, and its transactions |
//! | `offline` | without serving it: looks whether it is sound, brings its schema up to date |
//! | `room` | whether the disk has room for more |
//!
//! The file is one process's: its clock is the database's.

mod connection;
mod offline;
mod open;
mod room;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use postrider_domain::{Act, Clock};
use sqlx::sqlite::SqlitePool;
use tokio::sync::{broadcast, watch};

use self::connection::SqliteWriter;
#[cfg(test)]
pub(crate) use self::open::SCHEMA;
use self::open::{Opened, Place, READERS};
use self::room::Room;
use crate::backend::{Acting, Backend, PassedOver, Sealing};
use crate::book::Retention;
use crate::sql::{Dialect, Pages, Reader, Row, Statement, Value};
use crate::verbs::Write;
use crate::writer::{Source, Writes};
use crate::{CHANGES_KEPT, Changed, ContentSealer, DynStore, Options, Store, StoreError, StoreHealth};

/// All that is in the database, in one file.
#[derive(Debug)]
pub struct SqliteStore {
    shared: Arc<Shared>,
    writes: Writes,
}

impl SqliteStore {
    /// Opens the file, or makes it where there is none; its directory must be there. It is locked (`<file>.lock`) until
    /// it was closed, or all that waits was written after a drop. Needs a Tokio runtime, which the writer lives on.
    pub async fn open(path: &Path, clock: Arc<dyn Clock>, options: Options) -> Result<Self, StoreError> {
        let place = Place::new(path, Some(options.kind));
        let lock = place.lock()?;
        let Opened { writer, reader } = place.open(&lock, clock.now()).await?;
        let shared = Arc::new(Shared {
            room: Room::new(place.directory(), options.free_bytes_min),
            place,
            clock,
            retention: options.retention,
            messages_per_minute: options.messages_per_minute,
            reader: RwLock::new(reader),
            pages: Arc::new(Pages::among(READERS)),
            health: watch::Sender::new(StoreHealth::Serving),
            changed: broadcast::Sender::new(CHANGES_KEPT),
            passed_over: PassedOver::default(),
            #[cfg(test)]
            faults: connection::Faults::default(),
        });
        let connection = shared.writer_of(writer);
        let writes = Writes::start(vec![connection], &shared, lock);
        Ok(Self { shared, writes })
    }

    /// Lets the writes that wait be done, then closes the file; every later call is refused.
    pub async fn close(&self) {
        self.writes.close().await;
        self.shared.reader().close().await;
    }
}

impl Backend for SqliteStore {
    type Reads = SqliteReader;

    fn reads(&self) -> SqliteReader {
        SqliteReader::new(self.shared.reader(), Arc::clone(&self.shared.pages))
    }

    async fn write<W: Write>(&self, write: W) -> Result<W::Answer, StoreError> {
        self.writes.write(write).await
    }

    fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    fn retention(&self) -> Retention {
        self.shared.retention
    }

    fn messages_per_minute(&self) -> u32 {
        self.shared.messages_per_minute
    }

    fn passed_over(&self) -> &PassedOver {
        &self.shared.passed_over
    }

    fn changed(&self) -> &broadcast::Sender<Changed> {
        &self.shared.changed
    }
}

#[async_trait::async_trait]
impl Store for SqliteStore {
    fn health(&self) -> watch::Receiver<StoreHealth> {
        self.shared.health.subscribe()
    }

    async fn close(&self) {
        Self::close(self).await;
    }

    fn by(self: Arc<Self>, act: Act) -> DynStore {
        Arc::new(Acting { store: self, act })
    }

    fn sealed_by(self: Arc<Self>, sealer: Arc<dyn ContentSealer>) -> DynStore {
        Arc::new(Sealing::new(self, sealer))
    }
}

/// What the writer and the readers share.
#[derive(Debug)]
struct Shared {
    place: Place,
    clock: Arc<dyn Clock>,
    retention: Retention,
    messages_per_minute: u32,
    room: Room,
    /// Replaced when the file is opened again.
    reader: RwLock<SqlitePool>,
    pages: Arc<Pages>,
    health: watch::Sender<StoreHealth>,
    changed: broadcast::Sender<Changed>,
    passed_over: PassedOver,
    #[cfg(test)]
    faults: connection::Faults,
}

impl Shared {
    fn reader(&self) -> SqlitePool {
        self.reader.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn writer_of(&self, connection: sqlx::SqliteConnection) -> SqliteWriter {
        SqliteWriter::new(
            connection,
            Arc::clone(&self.clock),
            #[cfg(test)]
            self.faults.clone(),
        )
    }
}

impl Source for Shared {
    type Connection = SqliteWriter;

    /// Everything is closed, so that the file is recovered from what is on disk.
    async fn reopen(&self) -> Result<SqliteWriter, StoreError> {
        self.reader().close().await;
        let Opened { writer, reader } = self.place.reopen().await?;
        *self.reader.write().unwrap_or_else(PoisonError::into_inner) = reader;
        Ok(self.writer_of(writer))
    }

    fn full(&self) -> Option<String> {
        self.room.full(self.clock.now())
    }

    fn keeps_resellers_apart(&self) -> bool {
        false
    }

    fn retention(&self) -> Retention {
        self.retention
    }

    fn set_serving(&self, _: usize, serving: bool) {
        let health = if serving { StoreHealth::Serving } else { StoreHealth::Away };
        self.health.send_if_modified(|now| std::mem::replace(now, health) != health);
    }

    fn changed(&self) -> &broadcast::Sender<Changed> {
        &self.changed
    }
}

/// Reads see what is committed.
pub(crate) struct SqliteReader {
    pool: SqlitePool,
    pages: Arc<Pages>,
}

impl SqliteReader {
    fn new(pool: SqlitePool, pages: Arc<Pages>) -> Self {
        Self { pool, pages }
    }
}

impl Reader for SqliteReader {
    async fn read(&self, statement: &'static Statement, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        let arguments = Value::to_sqlite(values).map_err(failed)?;
        let text = statement.text(Dialect::Sqlite, 1);
        let _turn = self.pages.turn(statement).await?;
        let rows = sqlx::query_with(text, arguments).fetch_all(&self.pool).await.map_err(failed)?;
        Ok(rows.into_iter().map(Row::Sqlite).collect())
    }
}

/// SQLite's result code; an extended one keeps it in the low byte.
fn result_code(error: &sqlx::Error) -> Option<i64> {
    let code: i64 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

const SQLITE_FULL: i64 = 13;

/// An error before COMMIT, or of a read.
fn failed(error: sqlx::Error) -> StoreError {
    let cause = error.to_string();
    match error {
        // All connections are busy: the file is there.
        sqlx::Error::PoolTimedOut => StoreError::Overloaded,
        error if result_code(&error) == Some(SQLITE_FULL) => StoreError::Full { cause },
        _ => StoreError::Unavailable { cause },
    }
}
