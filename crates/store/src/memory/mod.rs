//! The store as a model: rows in memory, for the simulation.
//!
//! It runs the same verbs on the same books as every database and passes the same suite, so that what the simulation
//! proves is not proven of a toy. Handles share the rows as replicas share a database; what becomes of a handle's
//! transactions (late, lost, applied but unanswered) is decided by its [`Fate`].

mod reads;
mod tables;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use postrider_domain::{Act, Clock};
use tokio::sync::{broadcast, watch};

use self::reads::MemoryReads;
use self::tables::Tables;
use crate::backend::{Acting, Backend, PassedOver, Sealing};
use crate::book::{Book, Needs, Retention};
use crate::verbs::Write;
use crate::{CHANGES_KEPT, Changed, ContentSealer, DynStore, Store, StoreError, StoreHealth};

/// What becomes of one transaction or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum End {
    #[default]
    Done,
    /// The database did not answer, before anything was written: a plain no.
    Refused,
    /// COMMIT was not answered, and nothing was written.
    Lost,
    /// COMMIT was not answered, and all was written.
    Unanswered,
}

/// Decides what becomes of a handle's transactions.
#[async_trait]
pub trait Fate: Send + Sync {
    /// Returns when the transaction runs, and how it ends. `name` is that of the verb.
    async fn of_write(&self, name: &'static str) -> End;
    /// The answer is on its way back.
    async fn answered(&self);
    async fn of_read(&self) -> Result<(), StoreError>;
}

/// All goes well, at once.
#[derive(Debug, Clone, Copy, Default)]
pub struct Kind;

#[async_trait]
impl Fate for Kind {
    async fn of_write(&self, _: &'static str) -> End {
        End::Done
    }

    async fn answered(&self) {}

    async fn of_read(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// One replica's handle on the shared rows.
pub struct MemoryStore {
    shared: Arc<Shared>,
    fate: Arc<dyn Fate>,
    /// The replica's own, by which it reads.
    clock: Arc<dyn Clock>,
    passed_over: PassedOver,
    changed: broadcast::Sender<Changed>,
    health: watch::Sender<StoreHealth>,
}

struct Shared {
    tables: Mutex<Tables>,
    /// The database's, by which it writes.
    clock: Arc<dyn Clock>,
    retention: Retention,
    changed: broadcast::Sender<Changed>,
}

impl MemoryStore {
    pub fn new(clock: Arc<dyn Clock>, retention: Retention) -> Self {
        let changed = broadcast::Sender::new(CHANGES_KEPT);
        let shared = Shared {
            tables: Mutex::default(),
            clock: Arc::clone(&clock),
            retention,
            changed: changed.clone(),
        };
        Self::of(Arc::new(shared), Arc::new(Kind), clock)
    }

    /// Another handle on the same rows.
    #[must_use]
    pub fn handle(&self, fate: Arc<dyn Fate>, clock: Arc<dyn Clock>) -> Self {
        Self::of(Arc::clone(&self.shared), fate, clock)
    }

    fn of(shared: Arc<Shared>, fate: Arc<dyn Fate>, clock: Arc<dyn Clock>) -> Self {
        Self {
            changed: shared.changed.clone(),
            shared,
            fate,
            clock,
            passed_over: PassedOver::default(),
            health: watch::Sender::new(StoreHealth::Serving),
        }
    }
}

impl Shared {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One write, whole: what it changed is told once it is there.
    fn run<W: Write>(&self, write: &W, is_applied: bool) -> Result<W::Answer, StoreError> {
        let mut tables = self.tables();
        let mut needs = Needs::default();
        write.needs(&mut needs);
        let mut book = Book::new(self.clock.now(), self.retention);
        tables.load(&needs, &mut book);
        let answer = write.run(&mut book)?;
        if is_applied {
            tables.save(&book);
            for one in book.changed() {
                self.changed.send(one).ok();
            }
        }
        Ok(answer)
    }
}

impl Backend for MemoryStore {
    type Reads = MemoryReads;

    fn reads(&self) -> MemoryReads {
        MemoryReads { shared: Arc::clone(&self.shared), fate: Arc::clone(&self.fate) }
    }

    async fn write<W: Write>(&self, write: W) -> Result<W::Answer, StoreError> {
        let unknown = || StoreError::CommitUnknown { cause: "the commit was not answered".to_owned() };
        match self.fate.of_write(W::NAME).await {
            End::Done => {
                let answer = self.shared.run(&write, true);
                self.fate.answered().await;
                answer
            }
            End::Refused => Err(StoreError::Unavailable { cause: "the database is away".to_owned() }),
            End::Lost => self.shared.run(&write, false).and(Err(unknown())),
            End::Unanswered => self.shared.run(&write, true).and(Err(unknown())),
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn retention(&self) -> Retention {
        self.shared.retention
    }

    fn messages_per_minute(&self) -> u32 {
        0
    }

    fn passed_over(&self) -> &PassedOver {
        &self.passed_over
    }

    fn changed(&self) -> &broadcast::Sender<Changed> {
        &self.changed
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn health(&self) -> watch::Receiver<StoreHealth> {
        self.health.subscribe()
    }

    async fn close(&self) {}

    fn by(self: Arc<Self>, act: Act) -> DynStore {
        Arc::new(Acting { store: self, act })
    }

    fn sealed_by(self: Arc<Self>, sealer: Arc<dyn ContentSealer>) -> DynStore {
        Arc::new(Sealing::new(self, sealer))
    }
}
