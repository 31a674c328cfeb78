//! Group commit: the writes that wait together run on one book and are committed together.
//!
//! A commit costs one sync of the disk, however much is in it, so what waits is run in one transaction and answered after
//! its COMMIT. A lone caller waits for nobody.
//!
//! Rules
//! - An error before COMMIT is a plain no: the transaction is rolled back and each write is run again alone, so that
//!   only the one that cannot be done fails. One that another transaction was in the way of is run again.
//! - A COMMIT that failed is *unknown*: every write in it is told so. Its connection is given up, and until another is
//!   there every write that comes to it is refused.
//! - Without room, what makes the database grow is refused before it begins; outcomes are still written.
//! - A caller who goes away does not stop its write.
//!
//! Knows: a [`Source`] of connections. Does not know: which database.
//! Read first: the tests of `sqlite/`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use postrider_domain::ResellerId;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::book::{Book, Needs, Retention};
use crate::sql::{self, Db};
use crate::verbs::Write;
use crate::{Changed, StoreError};

/// Writes of one transaction: bounds its time, and what is undecided when its COMMIT fails.
const BATCH_MAX: usize = 256;
/// Writes that may wait; mail that comes then is refused at once, anything else waits for a place.
const WAITING_MAX: usize = 1_024;
/// Between tries to connect: doubled from the first to the last.
const REOPEN_FIRST: Duration = Duration::from_millis(100);
const REOPEN_LAST: Duration = Duration::from_secs(5);
/// Between tries to write while nothing can be written and nobody tries.
const PROBE_GAP: Duration = Duration::from_secs(1);
/// How often a transaction is run again that another one was in the way of.
const CONFLICTS_MAX: u32 = 5;

/// A connection that writes, and its transactions.
pub(crate) trait Connection: Db {
    /// The moment the transaction begins, by the database's clock where it has one.
    fn begin(&mut self) -> impl Future<Output = Result<Timestamp, StoreError>> + Send;
    /// What the other replicas are to hear of, within the transaction.
    fn announce(&mut self, changed: &[Changed]) -> impl Future<Output = Result<(), StoreError>> + Send;
    fn commit(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send;
    fn rollback(&mut self) -> impl Future<Output = ()> + Send;
    /// Whether nothing more can be asked of it.
    fn is_broken(&self) -> bool;
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// Where a writer's connection comes from.
pub(crate) trait Source: Send + Sync + 'static {
    type Connection: Connection;

    /// Another connection in place of one that was given up. What is then read is on disk.
    fn reopen(&self) -> impl Future<Output = Result<Self::Connection, StoreError>> + Send;
    /// `Some`: there is no room for more, in words for the operator.
    fn full(&self) -> Option<String>;
    /// Whether one transaction had better not hold rows of several resellers.
    fn keeps_resellers_apart(&self) -> bool;
    fn retention(&self) -> Retention;
    /// This writer serves, or is away.
    fn set_serving(&self, writer: usize, serving: bool);
    fn changed(&self) -> &broadcast::Sender<Changed>;
}

/// A write and who waits for it.
trait Job: Send {
    fn name(&self) -> &'static str;
    fn reseller(&self) -> Option<&ResellerId>;
    fn grows(&self) -> bool;
    fn needs(&self, needs: &mut Needs);
    fn run(&mut self, book: &mut Book) -> Result<(), StoreError>;
    fn answer(self: Box<Self>, outcome: Result<(), StoreError>);
}

struct Task<W: Write> {
    write: W,
    done: Option<W::Answer>,
    caller: oneshot::Sender<Result<W::Answer, StoreError>>,
}

impl<W: Write> Job for Task<W> {
    fn name(&self) -> &'static str {
        W::NAME
    }

    fn reseller(&self) -> Option<&ResellerId> {
        self.write.reseller()
    }

    fn grows(&self) -> bool {
        W::GROWS
    }

    fn needs(&self, needs: &mut Needs) {
        self.write.needs(needs);
    }

    fn run(&mut self, book: &mut Book) -> Result<(), StoreError> {
        self.done = Some(self.write.run(book)?);
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<(), StoreError>) {
        let Self { done, caller, .. } = *self;
        drop(caller.send(outcome.and_then(|()| done.ok_or_else(closed))));
    }
}

enum Order {
    Job(Box<dyn Job>),
    /// Answered once the connection is closed.
    Close(oneshot::Sender<()>),
}

fn closed() -> StoreError {
    StoreError::Unavailable { cause: "the store is closed".to_owned() }
}

/// Where writes are handed in. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Writes(Arc<[mpsc::Sender<Order>]>);

impl Writes {
    /// A writer on each connection. `keep` is let go once all of them have ended.
    pub(crate) fn start<S: Source>(
        connections: Vec<S::Connection>,
        source: &Arc<S>,
        keep: impl Send + Sync + 'static,
    ) -> Self {
        let keep: Arc<dyn Send + Sync> = Arc::new(keep);
        let mut senders = Vec::with_capacity(connections.len());
        for (number, connection) in connections.into_iter().enumerate() {
            let (sender, orders) = mpsc::channel(WAITING_MAX);
            let writer = Writer {
                number,
                db: Some(connection),
                orders,
                put_off: VecDeque::new(),
                source: Arc::clone(source),
                closers: Vec::new(),
                serving: true,
            };
            let keep = Arc::clone(&keep);
            tokio::spawn(async move {
                writer.run().await;
                drop(keep);
            });
            senders.push(sender);
        }
        Self(senders.into())
    }

    pub(crate) async fn write<W: Write>(&self, write: W) -> Result<W::Answer, StoreError> {
        let writer = self.of(write.reseller());
        let (caller, answer) = oneshot::channel();
        let order = Order::Job(Box::new(Task { write, done: None, caller }));
        if W::GROWS {
            writer.try_send(order).map_err(|error| match error {
                TrySendError::Full(_) => StoreError::Overloaded,
                TrySendError::Closed(_) => closed(),
            })?;
        } else {
            writer.send(order).await.map_err(|_| closed())?;
        }
        answer.await.map_err(|_| closed())?
    }

    /// Writes of one reseller go to one writer, one after the other.
    fn of(&self, reseller: Option<&ResellerId>) -> &mpsc::Sender<Order> {
        let hash = reseller.map_or(0, |reseller| {
            reseller.as_str().bytes().fold(5381_usize, |hash, byte| hash.wrapping_mul(33) ^ usize::from(byte))
        });
        &self.0[hash % self.0.len()]
    }

    /// Lets what waits be written, then closes the connections.
    pub(crate) async fn close(&self) {
        for writer in &*self.0 {
            let (sender, done) = oneshot::channel();
            if writer.send(Order::Close(sender)).await.is_ok() {
                drop(done.await);
            }
        }
    }
}

struct Writer<S: Source> {
    number: usize,
    /// Absent while the database is away.
    db: Option<S::Connection>,
    orders: mpsc::Receiver<Order>,
    /// For the next transactions, where resellers are kept apart.
    put_off: VecDeque<Box<dyn Job>>,
    source: Arc<S>,
    closers: Vec<oneshot::Sender<()>>,
    serving: bool,
}

/// How a transaction ended.
enum Ended {
    Committed(Vec<Changed>),
    /// Nothing was written, for a reason that is not in the writes.
    Away(String),
    /// Nothing was written, for one of the writes failed.
    Failed(StoreError),
    Unknown(String),
}

impl<S: Source> Writer<S> {
    async fn run(mut self) {
        let mut orders = Vec::with_capacity(BATCH_MAX);
        loop {
            if self.put_off.is_empty() {
                let received = self.orders.recv_many(&mut orders, BATCH_MAX);
                if self.serving {
                    received.await;
                } else if tokio::time::timeout(PROBE_GAP, received).await.is_err() {
                    self.probe().await;
                    continue;
                }
                if orders.is_empty() {
                    break;
                }
            } else {
                while orders.len() < BATCH_MAX
                    && let Ok(order) = self.orders.try_recv()
                {
                    orders.push(order);
                }
            }
            let jobs = self.next_jobs(&mut orders);
            self.commit(jobs).await;
        }
        if let Some(db) = self.db.take() {
            db.close().await;
        }
        for closer in self.closers {
            closer.send(()).ok();
        }
    }

    /// What goes into the next transaction, in the order it came.
    fn next_jobs(&mut self, orders: &mut Vec<Order>) -> Vec<Box<dyn Job>> {
        for order in orders.drain(..) {
            if let Some(job) = sort(order, &mut self.orders, &mut self.closers) {
                self.put_off.push_back(job);
            }
        }
        if !self.source.keeps_resellers_apart() {
            return self.put_off.drain(..).collect();
        }
        let first = self.put_off.front().and_then(|job| job.reseller().cloned());
        let (now, later): (Vec<_>, Vec<_>) =
            self.put_off.drain(..).partition(|job| job.reseller() == first.as_ref());
        self.put_off = later.into();
        now
    }

    async fn commit(&mut self, jobs: Vec<Box<dyn Job>>) {
        let mut jobs = self.with_room(jobs);
        if jobs.is_empty() {
            return;
        }
        let ended = self.transact(&mut jobs).await;
        if !matches!(ended, Ended::Failed(_)) || jobs.len() == 1 {
            return self.settle(jobs, ended).await;
        }
        for mut of_one in by_reseller(jobs) {
            let ended = self.transact(&mut of_one).await;
            match ended {
                // Another transaction has the reseller's rows: it would keep each of them waiting as long.
                Ended::Failed(error) if !error.is_of_others() && of_one.len() > 1 => {
                    for job in of_one {
                        let mut alone = vec![job];
                        let ended = self.transact(&mut alone).await;
                        self.settle(alone, ended).await;
                    }
                }
                ended => self.settle(of_one, ended).await,
            }
        }
    }

    /// Those that there is room for; the others are answered.
    fn with_room(&mut self, jobs: Vec<Box<dyn Job>>) -> Vec<Box<dyn Job>> {
        let Some(cause) = self.source.full() else { return jobs };
        let (growing, others): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| job.grows());
        for job in growing {
            job.answer(Err(StoreError::Full { cause: cause.clone() }));
        }
        others
    }

    async fn transact(&mut self, jobs: &mut [Box<dyn Job>]) -> Ended {
        let Some(db) = &mut self.db else {
            return Ended::Away("the database is being reopened".to_owned());
        };
        let mut conflicts = 0;
        loop {
            match attempt(db, jobs, self.source.retention()).await {
                Ended::Failed(StoreError::Conflict { cause }) if conflicts < CONFLICTS_MAX => {
                    conflicts += 1;
                    tracing::debug!(
                        event = "transaction_repeated",
                        cause,
                        conflicts,
                        "a transaction is run again"
                    );
                }
                Ended::Failed(error) if db.is_broken() => return Ended::Away(error.to_string()),
                ended => return ended,
            }
        }
    }

    async fn settle(&mut self, jobs: Vec<Box<dyn Job>>, ended: Ended) {
        match ended {
            Ended::Committed(changed) => {
                self.set_serving(true);
                for job in jobs {
                    job.answer(Ok(()));
                }
                for one in changed {
                    // Nobody may be listening.
                    self.source.changed().send(one).ok();
                }
            }
            // A lone job's own error, or one that is nobody's of them.
            Ended::Failed(error) => {
                if matches!(error, StoreError::Full { .. }) {
                    self.set_serving(false);
                }
                for job in jobs {
                    tracing::debug!(event = "write_failed", verb = job.name(), %error, "a write failed");
                    job.answer(Err(error.clone()));
                }
            }
            Ended::Away(cause) => {
                self.set_serving(false);
                for job in jobs {
                    job.answer(Err(StoreError::Unavailable { cause: cause.clone() }));
                }
                self.reopen(&cause).await;
            }
            Ended::Unknown(cause) => {
                self.set_serving(false);
                for job in jobs {
                    job.answer(Err(StoreError::CommitUnknown { cause: cause.clone() }));
                }
                self.reopen(&cause).await;
            }
        }
    }

    fn set_serving(&mut self, serving: bool) {
        if std::mem::replace(&mut self.serving, serving) != serving {
            self.source.set_serving(self.number, serving);
        }
    }

    async fn reopen(&mut self, cause: &str) {
        tracing::error!(
            event = "store_away",
            cause,
            "the database is away: its connection is given up for another"
        );
        let mut gap = REOPEN_FIRST;
        loop {
            if let Some(db) = self.db.take() {
                db.close().await;
            }
            match self.source.reopen().await {
                Ok(db) => {
                    self.db = Some(db);
                    self.set_serving(true);
                    tracing::info!(event = "store_back", "the database is back");
                    return;
                }
                Err(error) => {
                    tracing::error!(event = "store_not_reopened", %error, "the database cannot be opened again yet");
                }
            }
            if !self.refuse_for(gap).await {
                return;
            }
            gap = (gap * 2).min(REOPEN_LAST);
        }
    }

    /// `false`: the store is to be closed.
    async fn refuse_for(&mut self, gap: Duration) -> bool {
        let refuse = |job: Box<dyn Job>| {
            let cause = "the database is being reopened".to_owned();
            job.answer(Err(StoreError::Unavailable { cause }));
        };
        self.put_off.drain(..).for_each(refuse);
        let end = tokio::time::sleep(gap);
        tokio::pin!(end);
        loop {
            tokio::select! {
                biased;
                () = &mut end => return true,
                order = self.orders.recv() => match order {
                    Some(order) => {
                        sort(order, &mut self.orders, &mut self.closers).into_iter().for_each(refuse);
                    }
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

/// In the order they came; those of one reseller together.
fn by_reseller(jobs: Vec<Box<dyn Job>>) -> Vec<Vec<Box<dyn Job>>> {
    let mut groups: Vec<Vec<Box<dyn Job>>> = Vec::new();
    for job in jobs {
        let of_one = groups.iter_mut().find(|group| {
            job.reseller().is_some() && group.first().is_some_and(|first| first.reseller() == job.reseller())
        });
        match of_one {
            Some(group) => group.push(job),
            None => groups.push(vec![job]),
        }
    }
    groups
}

/// The job, if it is one. After a close nothing new is let in.
fn sort(
    order: Order,
    orders: &mut mpsc::Receiver<Order>,
    closers: &mut Vec<oneshot::Sender<()>>,
) -> Option<Box<dyn Job>> {
    match order {
        Order::Job(job) => Some(job),
        Order::Close(closer) => {
            orders.close();
            closers.push(closer);
            None
        }
    }
}

/// One transaction.
async fn attempt<C: Connection>(db: &mut C, jobs: &mut [Box<dyn Job>], retention: Retention) -> Ended {
    let now = match db.begin().await {
        Ok(now) => now,
        Err(error) => return Ended::Away(error.to_string()),
    };
    let mut book = Book::new(now, retention);
    match write_down(db, jobs, &mut book).await {
        Ok(changed) => match db.commit().await {
            Ok(()) => Ended::Committed(changed),
            Err(error @ StoreError::Conflict { .. }) => Ended::Failed(error),
            Err(error) => Ended::Unknown(error.to_string()),
        },
        Err(error) => {
            db.rollback().await;
            Ended::Failed(error)
        }
    }
}

async fn write_down<C: Connection>(
    db: &mut C,
    jobs: &mut [Box<dyn Job>],
    book: &mut Book,
) -> Result<Vec<Changed>, StoreError> {
    let mut needs = Needs::default();
    for job in &*jobs {
        job.needs(&mut needs);
    }
    sql::load(db, &needs, book).await?;
    for job in jobs {
        job.run(book)?;
    }
    sql::save(db, book).await?;
    let changed = book.changed();
    if !changed.is_empty() {
        db.announce(&changed).await?;
    }
    Ok(changed)
}

/// Writes what is there already.
struct Probe;

impl Write for Probe {
    type Answer = ();

    const NAME: &'static str = "probe";

    fn needs(&self, needs: &mut Needs) {
        needs.meta.insert("kind");
    }

    fn run(&self, book: &mut Book) -> Result<(), StoreError> {
        book.meta.change(&"kind");
        Ok(())
    }
}
