//! The one writer: every write of the process goes through this task, and what waits together is committed together.
//!
//! A commit costs one sync of the disk, however much is in it, so the writes that wait are run in one transaction and
//! answered after its COMMIT. A lone caller waits for nobody.
//!
//! Rules
//! - An error before COMMIT is a plain no: the transaction is rolled back and each write is run again alone, so that
//!   only the one that cannot be done fails.
//! - A COMMIT that failed is *unknown*: every write in it is told so. All connections are closed, the file is opened
//!   anew, read and checkpointed, and until that worked every write is refused.
//! - A caller who goes away does not stop its write.
//!
//! Trusts: that no other process writes, for the writer has the file's lock until its connections are closed.
//! Read first: the tests below.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use super::open::{Lock, Opened};
use super::{Shared, failed};
use crate::{StoreError, StoreHealth};

/// Writes of one transaction: bounds its time, and what is undecided when its COMMIT fails.
const BATCH_MAX: usize = 256;
/// Writes that may wait; whoever comes then waits for a place.
const WAITING_MAX: usize = 1_024;
/// Between tries to reopen: doubled from the first to the last.
const REOPEN_FIRST: Duration = Duration::from_millis(100);
const REOPEN_LAST: Duration = Duration::from_secs(5);
/// Between tries to write while nothing can be written and nobody tries.
const PROBE_GAP: Duration = Duration::from_secs(1);

/// One thing to write, which may be run again after a rollback. What the caller may not do is an answer, not an error.
pub(super) trait Write: Send + Sync + 'static {
    type Answer: Send + 'static;
    fn run(&self, db: &mut SqliteConnection)
    -> impl Future<Output = Result<Self::Answer, StoreError>> + Send;
}

/// A write and who waits for it.
trait Job: Send {
    fn run<'a>(&'a mut self, db: &'a mut SqliteConnection) -> BoxFuture<'a, Result<(), StoreError>>;
    fn answer(self: Box<Self>, outcome: Result<(), StoreError>);
}

struct Task<W: Write> {
    write: W,
    done: Option<W::Answer>,
    caller: oneshot::Sender<Result<W::Answer, StoreError>>,
}

impl<W: Write> Job for Task<W> {
    fn run<'a>(&'a mut self, db: &'a mut SqliteConnection) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.done = Some(self.write.run(db).await?);
            Ok(())
        })
    }

    fn answer(self: Box<Self>, outcome: Result<(), StoreError>) {
        let Self { done, caller, .. } = *self;
        drop(caller.send(outcome.and_then(|()| done.ok_or_else(closed))));
    }
}

enum Order {
    Job(Box<dyn Job>),
    /// Answered once all connections are closed.
    Close(oneshot::Sender<()>),
}

fn closed() -> StoreError {
    StoreError::Unavailable { cause: "the store is closed".to_owned() }
}

/// Where writes are handed in. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Writes(mpsc::Sender<Order>);

impl Writes {
    /// Starts the writer on its connection.
    pub(super) fn start(db: SqliteConnection, lock: Lock, shared: Arc<Shared>) -> Self {
        let (sender, orders) = mpsc::channel(WAITING_MAX);
        tokio::spawn(Writer { db: Some(db), lock, orders, shared, closers: Vec::new() }.run());
        Self(sender)
    }

    pub(super) async fn write<W: Write>(&self, write: W) -> Result<W::Answer, StoreError> {
        let (caller, answer) = oneshot::channel();
        let job = Box::new(Task { write, done: None, caller });
        self.0.send(Order::Job(job)).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Lets what waits be written, then closes the file.
    pub(super) async fn close(&self) {
        let (sender, done) = oneshot::channel();
        if self.0.send(Order::Close(sender)).await.is_ok() {
            drop(done.await);
        }
    }
}

struct Writer {
    /// Absent while the file is away.
    db: Option<SqliteConnection>,
    lock: Lock,
    orders: mpsc::Receiver<Order>,
    shared: Arc<Shared>,
    closers: Vec<oneshot::Sender<()>>,
}

/// How a transaction ended.
enum Ended {
    Committed,
    /// Nothing was written, for a reason that is not in the writes.
    Away(String),
    /// Nothing was written, for one of the writes failed.
    Failed(StoreError),
    Unknown(String),
}

impl Writer {
    async fn run(mut self) {
        let mut orders = Vec::with_capacity(BATCH_MAX);
        loop {
            let received = self.orders.recv_many(&mut orders, BATCH_MAX);
            if self.shared.is_serving() {
                received.await;
            } else if tokio::time::timeout(PROBE_GAP, received).await.is_err() {
                self.probe().await;
                continue;
            }
            if orders.is_empty() {
                break;
            }
            let jobs = orders.drain(..).filter_map(|order| self.sort(order)).collect();
            self.commit(jobs).await;
        }
        self.shared.close_reader().await;
        if let Some(db) = self.db.take() {
            drop(db.close().await);
        }
        drop(self.lock);
        for closer in self.closers {
            closer.send(()).ok();
        }
    }

    /// The job, if it is one. After a close nothing new is let in.
    fn sort(&mut self, order: Order) -> Option<Box<dyn Job>> {
        match order {
            Order::Job(job) => Some(job),
            Order::Close(closer) => {
                self.orders.close();
                self.closers.push(closer);
                None
            }
        }
    }

    async fn commit(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        if jobs.is_empty() {
            return;
        }
        let ended = self.transact(&mut jobs).await;
        if matches!(ended, Ended::Failed(_)) && jobs.len() > 1 {
            for job in jobs {
                let mut alone = vec![job];
                let ended = self.transact(&mut alone).await;
                self.settle(alone, ended).await;
            }
        } else {
            self.settle(jobs, ended).await;
        }
    }

    async fn transact(&mut self, jobs: &mut [Box<dyn Job>]) -> Ended {
        let Some(db) = &mut self.db else {
            return Ended::Away("the database is being reopened".to_owned());
        };
        if let Err(error) = sqlx::query("BEGIN IMMEDIATE").execute(&mut *db).await {
            return Ended::Away(error.to_string());
        }
        for job in jobs {
            if let Err(error) = job.run(db).await {
                // SQLite may have rolled back already; what is left open makes the next BEGIN fail.
                drop(sqlx::query("ROLLBACK").execute(db).await);
                return Ended::Failed(error);
            }
        }
        match self.commit_now().await {
            Ok(()) => Ended::Committed,
            Err(error) => Ended::Unknown(error.to_string()),
        }
    }

    async fn commit_now(&mut self) -> Result<(), sqlx::Error> {
        let Some(db) = &mut self.db else {
            return Err(sqlx::Error::WorkerCrashed);
        };
        #[cfg(test)]
        match self.shared.next_fault() {
            None => {}
            Some(fault) => {
                let end = if fault == super::Fault::CommitLost { "ROLLBACK" } else { "COMMIT" };
                sqlx::query(end).execute(db).await?;
                return Err(sqlx::Error::WorkerCrashed);
            }
        }
        sqlx::query("COMMIT").execute(db).await.map(drop)
    }

    async fn settle(&mut self, mut jobs: Vec<Box<dyn Job>>, ended: Ended) {
        match ended {
            Ended::Committed => {
                self.shared.set_health(StoreHealth::Serving);
                for job in jobs {
                    job.answer(Ok(()));
                }
            }
            // Only a lone job comes here with an error of its own.
            Ended::Failed(error) => {
                if matches!(error, StoreError::Full { .. }) {
                    self.shared.set_health(StoreHealth::Away);
                }
                if let Some(job) = jobs.pop() {
                    job.answer(Err(error));
                }
            }
            Ended::Away(cause) => {
                self.shared.set_health(StoreHealth::Away);
                for job in jobs {
                    job.answer(Err(StoreError::Unavailable { cause: cause.clone() }));
                }
                self.reopen(&cause).await;
            }
            Ended::Unknown(cause) => {
                self.shared.set_health(StoreHealth::Away);
                for job in jobs {
                    job.answer(Err(StoreError::CommitUnknown { cause: cause.clone() }));
                }
                self.reopen(&cause).await;
            }
        }
    }

    /// Closes everything, so that the file is recovered from what is on disk, and opens it again.
    async fn reopen(&mut self, cause: &str) {
        tracing::error!(cause, "the database is away: it is closed and opened again");
        let mut gap = REOPEN_FIRST;
        loop {
            self.shared.close_reader().await;
            if let Some(db) = self.db.take() {
                drop(db.close().await);
            }
            match self.shared.place.reopen().await {
                Ok(Opened { writer, reader }) => {
                    self.db = Some(writer);
                    self.shared.set_reader(reader);
                    self.shared.set_health(StoreHealth::Serving);
                    tracing::info!("the database is back");
                    return;
                }
                Err(error) => tracing::error!(%error, "the database cannot be opened again yet"),
            }
            if !self.refuse_for(gap).await {
                return;
            }
            gap = (gap * 2).min(REOPEN_LAST);
        }
    }

    /// `false`: the store is to be closed.
    async fn refuse_for(&mut self, gap: Duration) -> bool {
        let end = tokio::time::sleep(gap);
        tokio::pin!(end);
        loop {
            tokio::select! {
                () = &mut end => return true,
                order = self.orders.recv() => match order.map(|order| self.sort(order)) {
                    Some(Some(job)) => {
                        let cause = "the database is being reopened".to_owned();
                        job.answer(Err(StoreError::Unavailable { cause }));
                    }
                    Some(None) => {}
                    None => return false,
                }
            }
        }
    }

    /// Whether writing works again, when nobody asks.
    async fn probe(&mut self) {
        let (caller, _nobody) = oneshot::channel();
        self.commit(vec![Box::new(Task { write: Probe, done: None, caller })]).await;
    }
}

struct Probe;

impl Write for Probe {
    type Answer = ();

    async fn run(&self, db: &mut SqliteConnection) -> Result<(), StoreError> {
        sqlx::query("UPDATE meta SET value = value WHERE name = 'kind'").execute(db).await.map_err(failed)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use postrider_domain::MessageState;
    use tokio::sync::watch;

    use super::*;
    use crate::conformance::World;
    use crate::sqlite::{Fault, SqliteStore};
    use crate::{Accepted, Outbox, SettingsStore, Store, StoreKind};

    struct Given {
        store: Arc<SqliteStore>,
        world: World,
    }

    async fn given() -> Given {
        let (directory, clock) = (tempfile::TempDir::new().expect("a directory"), World::clock());
        let path = directory.path().join("postrider.db");
        let store = SqliteStore::open(&path, StoreKind::Real, clock.clone()).await.expect("opened");
        let store = Arc::new(store);
        Given { world: World::new(store.clone(), clock, directory), store }
    }

    impl Given {
        fn next_commit(&self, fault: Fault) {
            self.store.shared.faults.lock().expect("faults").push_back(fault);
        }
    }

    async fn is_serving_again(health: &mut watch::Receiver<StoreHealth>) {
        health.wait_for(|health| *health == StoreHealth::Serving).await.expect("the writer lives");
    }

    /// Writes a row that only COMMIT finds wrong.
    struct Orphan;

    impl Write for Orphan {
        type Answer = ();

        async fn run(&self, db: &mut SqliteConnection) -> Result<(), StoreError> {
            let sql = "PRAGMA defer_foreign_keys = ON; INSERT INTO lanes (reseller, mailbox) VALUES ('nobody', 'x')";
            sqlx::query(sql).execute(db).await.map_err(failed)?;
            Ok(())
        }
    }

    /// Writes a row, then cannot go on.
    struct Poison;

    impl Write for Poison {
        type Answer = ();

        async fn run(&self, db: &mut SqliteConnection) -> Result<(), StoreError> {
            sqlx::query("INSERT INTO meta (name, value) VALUES ('poison', '')")
                .execute(&mut *db)
                .await
                .map_err(failed)?;
            sqlx::query("INSERT INTO meta (name, value) VALUES ('poison', '')")
                .execute(db)
                .await
                .map_err(failed)?;
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_commit_that_failed_is_unknown_and_the_file_is_read_before_anything_else() {
        for (fault, stored) in [(Fault::CommitLost, false), (Fault::AnswerLost, true)] {
            let given = given().await;
            let Given { store, world } = &given;
            let acme = world.reseller("acme").await;
            let mut health = store.health();
            let new = world.mail_of_request(&acme, "order-1");
            given.next_commit(fault);
            let unknown = store.accept(new.clone()).await;
            assert!(matches!(unknown, Err(StoreError::CommitUnknown { .. })), "{unknown:?}");
            is_serving_again(&mut health).await;
            let found = store.get_message(&acme, &new.id).await.expect("an answer");
            assert_eq!(found.is_some(), stored);
            match store.accept(world.mail_of_request(&acme, "order-1")).await.expect("an answer") {
                Accepted::Replayed(message) => assert!(stored && message.id == new.id),
                Accepted::New(_) => assert!(!stored),
                other => panic!("neither: {other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn a_commit_that_sqlite_refuses_is_unknown_too_and_leaves_nothing() {
        let Given { store, world } = given().await;
        let mut health = store.health();
        let unknown = store.write(Orphan).await;
        assert!(matches!(unknown, Err(StoreError::CommitUnknown { .. })), "{unknown:?}");
        is_serving_again(&mut health).await;
        world.reseller("acme").await;
        assert!(store.due_lanes(world.now(), 10).await.expect("lanes").is_empty());
    }

    #[tokio::test]
    async fn leases_live_on_when_the_file_is_opened_again() {
        let given = given().await;
        let world = &given.world;
        let acme = world.reseller("acme").await;
        let id = world.accepted(&acme).await;
        let holder = crate::conformance::token(1);
        world.leased(&acme, holder).await;
        given.next_commit(Fault::CommitLost);
        let mut health = given.store.health();
        assert!(given.store.renew(&acme, holder, world.now()).await.is_err());
        is_serving_again(&mut health).await;
        assert!(world.starts(&acme, holder, id, 1).await);
    }

    #[tokio::test]
    async fn what_cannot_be_written_fails_alone() {
        let Given { store, world } = &given().await;
        let acme = world.reseller("acme").await;
        let good = (0..20).map(|_| world.mail(&acme)).collect::<Vec<_>>();
        let accepts = futures::future::join_all(good.iter().map(|new| store.accept(new.clone())));
        let (first, accepted, last) = tokio::join!(store.write(Poison), accepts, store.write(Poison));
        for poisoned in [first, last] {
            assert!(matches!(poisoned, Err(StoreError::Unavailable { .. })), "{poisoned:?}");
        }
        assert!(accepted.iter().all(|answer| matches!(answer, Ok(Accepted::New(_)))));
        for new in good {
            assert_eq!(world.state(&acme, new.id).await, MessageState::Accepted);
        }
        assert_eq!(*store.health().borrow(), StoreHealth::Serving);
    }

    #[tokio::test]
    async fn while_the_file_cannot_be_opened_writes_are_refused_and_then_go_on() {
        let given = given().await;
        let world = &given.world;
        let acme = world.reseller("acme").await;
        let path = given.store.shared.place.path().to_owned();
        let aside = path.with_extension("aside");
        // On Linux an open file may be moved: what is reopened is not there.
        std::fs::rename(&path, &aside).expect("moved");
        given.next_commit(Fault::CommitLost);
        let mut health = given.store.health();
        let unknown = given.store.accept(world.mail(&acme)).await;
        assert!(matches!(unknown, Err(StoreError::CommitUnknown { .. })), "{unknown:?}");
        let refused = given.store.accept(world.mail(&acme)).await;
        assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
        assert_eq!(*health.borrow(), StoreHealth::Away);
        std::fs::rename(&aside, &path).expect("moved back");
        is_serving_again(&mut health).await;
        world.accepted(&acme).await;
        assert!(given.store.get_settings(&acme).await.expect("an answer").is_some());
    }
}
