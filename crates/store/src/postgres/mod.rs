//! The store in PostgreSQL, for any number of replicas that share it.
//!
//! | file | does |
//! | --- | --- |
//! | `open` | connects, looks at the server's own settings, brings the schema up to date |
//! | `offline` | without serving it: looks whether it is sound, brings its schema up to date |
//! | `connection` | a connection that writes, and its transactions |
//! | `reader` | reads, each with a time limit |
//! | `presence` | whether it is there, told at once to all who would wait for it |
//! | `clock` | the database's clock, which all replicas share |
//! | `hints` | what the other replicas say they changed |
//!
//! Rules
//! - A transaction takes the rows of its resellers first, in their order: what two replicas write of one reseller is written
//!   one after the other, and none waits for another that waits for it.
//! - A connection whose COMMIT went unanswered is given up; the others go on.
//! - Every statement has a time limit, here and at the server. A transaction that is left open is ended by the server, so
//!   that a replica that hangs holds nobody up for long.
//! - Hints may be lost: whoever waits for a change looks again by itself.

mod clock;
mod connection;
mod hints;
mod offline;
mod open;
mod presence;
mod reader;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use postrider_domain::{Act, Clock};
use sqlx::postgres::{PgConnectOptions, PgPool};
use tokio::sync::{broadcast, watch};
use tokio::task::AbortHandle;

use self::clock::DatabaseClock;
use self::connection::PgWriter;
#[cfg(test)]
pub(crate) use self::open::SCHEMA;
use self::open::{Opened, READERS, Server};
use self::presence::Presence;
use self::reader::PgReader;
use crate::backend::{Acting, Backend, PassedOver, Sealing};
use crate::book::Retention;
use crate::sql::Pages;
use crate::verbs::Write;
use crate::writer::{Source, Writes};
use crate::{CHANGES_KEPT, Changed, ContentSealer, DynStore, Options, Store, StoreError, StoreHealth};

/// Connections that write. Two keep one another's commits company; more only split the batches.
const WRITERS: usize = 2;
/// On Citus, where a transaction holds one reseller's rows, more of them run side by side.
const WRITERS_APART: usize = 8;
/// How long one statement may take at the server.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long it may wait for another transaction's rows.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the server lets a transaction lie idle, before it ends it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the server may stay silent, before the connection counts as lost.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// All that is in the database, for one replica.
#[derive(Debug)]
pub struct PostgresStore {
    shared: Arc<Shared>,
    writes: Writes,
    background: Vec<AbortHandle>,
}

impl PostgresStore {
    /// Connects to `url` (`postgres://…`) and brings the schema up to date. A `statement-cache-capacity=0` in it says that
    /// a pooler hands out another connection for each transaction: then nothing is kept on a connection.
    /// `time` tells the time in the database's place, in tests.
    pub async fn open(
        url: &str,
        base: Arc<dyn Clock>,
        time: Option<Arc<dyn Clock>>,
        options: Options,
    ) -> Result<Self, StoreError> {
        let Opened { server, reader } = Server::open(url, options.kind).await?;
        let (clock, synced) = if let Some(given) = time {
            (given, None)
        } else {
            let clock = DatabaseClock::synced(base, &reader).await?;
            (Arc::clone(&clock) as Arc<dyn Clock>, Some(clock))
        };
        let apart = server.is_citus;
        let writers = if apart { WRITERS_APART } else { WRITERS };
        let shared = Arc::new(Shared {
            is_given_time: synced.is_none(),
            clock,
            retention: options.retention,
            messages_per_minute: options.messages_per_minute,
            apart,
            presence: Arc::new(Presence::new(writers)),
            changed: broadcast::Sender::new(CHANGES_KEPT),
            passed_over: PassedOver::default(),
            origin: uuid::Uuid::new_v4().simple().to_string(),
            server,
            reader,
            pages: Arc::new(Pages::among(READERS)),
        });
        let mut connections = Vec::with_capacity(writers);
        for _ in 0..writers {
            connections.push(shared.connect().await?);
        }
        let writes = Writes::start(connections, &shared, ());
        let presence = Arc::clone(&shared.presence).follow(shared.options().clone());
        let mut background = vec![tokio::spawn(presence).abort_handle()];
        if let Some(clock) = synced {
            let reader = shared.reader.clone();
            background.push(tokio::spawn(clock.follow(reader)).abort_handle());
        }
        if !shared.server.is_pooled {
            background.push(tokio::spawn(hints::follow(Arc::clone(&shared))).abort_handle());
        }
        Ok(Self { shared, writes, background })
    }

    /// Lets the writes that wait be done, then closes the connections; every later call is refused.
    pub async fn close(&self) {
        self.writes.close().await;
        self.background.iter().for_each(AbortHandle::abort);
        self.shared.reader.close().await;
    }

    /// The database's clock.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.shared.clock)
    }
}

impl Backend for PostgresStore {
    type Reads = PgReader;

    fn reads(&self) -> PgReader {
        PgReader::new(
            self.shared.reader.clone(),
            Arc::clone(&self.shared.pages),
            Arc::clone(&self.shared.presence),
            self.shared.server.is_pooled,
        )
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
impl Store for PostgresStore {
    fn health(&self) -> watch::Receiver<StoreHealth> {
        self.shared.presence.health()
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

/// What writers, readers and hints share.
#[derive(Debug)]
struct Shared {
    server: Server,
    reader: PgPool,
    pages: Arc<Pages>,
    clock: Arc<dyn Clock>,
    /// The clock is a test's: transactions ask it, not the database.
    is_given_time: bool,
    retention: Retention,
    messages_per_minute: u32,
    /// Transactions hold the rows of one reseller.
    apart: bool,
    presence: Arc<Presence>,
    changed: broadcast::Sender<Changed>,
    passed_over: PassedOver,
    /// Names this process in its hints, so that it does not take its own for news.
    origin: String,
}

impl Shared {
    fn options(&self) -> &PgConnectOptions {
        &self.server.options
    }

    async fn connect(&self) -> Result<PgWriter, StoreError> {
        let given = self.is_given_time.then(|| Arc::clone(&self.clock));
        PgWriter::connect(&self.server, given, self.origin.clone()).await
    }
}

impl Source for Shared {
    type Connection = PgWriter;

    async fn reopen(&self) -> Result<PgWriter, StoreError> {
        self.connect().await
    }

    /// The server says so itself.
    fn full(&self) -> Option<String> {
        None
    }

    fn keeps_resellers_apart(&self) -> bool {
        self.apart
    }

    fn retention(&self) -> Retention {
        self.retention
    }

    fn set_serving(&self, writer: usize, serving: bool) {
        self.presence.of_writer(writer, serving);
    }

    fn changed(&self) -> &broadcast::Sender<Changed> {
        &self.changed
    }
}

/// An error before COMMIT, or of a read, by PostgreSQL's own codes (appendix A of its manual).
fn failed(error: &sqlx::Error) -> StoreError {
    if matches!(error, sqlx::Error::PoolTimedOut) {
        // All connections that read are busy: one to a server that is away is told of by `presence`.
        return StoreError::Overloaded;
    }
    let cause = error.to_string();
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    match code.as_deref() {
        // serialization_failure, deadlock_detected, unique_violation: another transaction was first.
        Some("40001" | "40P01" | "23505") => StoreError::Conflict { cause },
        // lock_not_available
        Some("55P03") => StoreError::Busy { cause },
        // disk_full
        Some("53100") => StoreError::Full { cause },
        _ => StoreError::Unavailable { cause },
    }
}
