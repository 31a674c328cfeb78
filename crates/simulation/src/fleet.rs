//! A fleet at its size: a million lanes over fifty replicas, ten of which die at once. What the capacity model of
//! `docs/performance.md` says of lease traffic, rescue and fairness, said by the dispatcher as it is.
//!
//! Mail comes at a steady rate for lanes drawn by chance, while some lanes have a backlog from the beginning.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use postrider_domain::{MessageId, ResellerId};
use postrider_store::memory::{End, Fate};
use postrider_store::{Outbox as _, StoreError};

use crate::Chance;
use crate::microsoft::Speed;
use crate::world::{Builder, World};

/// Of a lane.
const MESSAGES_A_MONTH: u64 = 1_000;
/// The busiest hour, beside the mean.
const BUSIEST: u64 = 10;
const SECONDS_A_MONTH: u64 = 30 * 24 * 3_600;
/// Of a lane that has one.
const BACKLOG: u32 = 100;
/// A transaction and a read of PostgreSQL over a network of a data centre.
const WRITE: Duration = Duration::from_millis(2);
const READ: Duration = Duration::from_millis(1);
/// Graph, as it answers on a good day.
const SPEED: Speed = Speed { way: (5, 20), answer: (80, 400) };
const MEMORY_BYTES: usize = 64 * 1024 * 1024;
const DRAINED_WITHIN: Duration = Duration::from_hours(1);

/// What is run.
#[derive(Debug, Clone, Copy)]
pub struct Fleet {
    pub seed: u64,
    pub lanes: u32,
    pub replicas: usize,
    /// So many die at once, after a third of the time.
    pub lost: usize,
    /// Lanes that have a backlog from the beginning.
    pub crowded: u32,
    pub messages_a_second: u32,
    pub lasts: Duration,
}

/// What was seen of it.
#[derive(Debug)]
pub struct Seen {
    pub fleet: Fleet,
    pub messages: usize,
    /// Taken by Microsoft more than once.
    pub doubled: usize,
    pub unsent: usize,
    pub breaches: Vec<String>,
    /// Transactions a message, by their verb.
    pub writes: BTreeMap<&'static str, f64>,
    /// Reads a second of a replica, while mail comes.
    pub reads: f64,
    /// From acceptance to Microsoft, of lanes without a backlog: before the loss, and of what came in the time of a lease
    /// before and after it.
    pub waits: Waits,
    pub waits_at_loss: Waits,
}

/// Of a hundred so many waited no longer.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    pub half: Duration,
    pub p99: Duration,
    pub longest: Duration,
}

impl Waits {
    fn of(waits: impl IntoIterator<Item = Duration>) -> Self {
        let mut waits: Vec<Duration> = waits.into_iter().collect();
        waits.sort_unstable();
        let at = |percent: usize| waits.get(waits.len() * percent / 100).copied().unwrap_or_default();
        Self { half: at(50), p99: at(99), longest: waits.last().copied().unwrap_or_default() }
    }
}

impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "half {:?}, 99 of 100 {:?}, the longest {:?}", self.half, self.p99, self.longest)
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fleet { lanes, replicas, lost, crowded, .. } = self.fleet;
        writeln!(
            f,
            "{lanes} lanes, {replicas} replicas, {lost} of which die at once; seed {}",
            self.fleet.seed
        )?;
        writeln!(
            f,
            "{crowded} lanes with {BACKLOG} messages each; {} a second for {:?}",
            self.fleet.messages_a_second, self.fleet.lasts
        )?;
        writeln!(f, "{} messages, {} sent twice, {} not sent", self.messages, self.doubled, self.unsent)?;
        writeln!(f, "limits broken: {:?}", self.breaches)?;
        for (verb, count) in &self.writes {
            writeln!(f, "{count:>9.3}  {verb} a message")?;
        }
        writeln!(f, "{:>9.0}  reads a second of a replica", self.reads)?;
        writeln!(f, "waits before the loss: {}", self.waits)?;
        writeln!(f, "waits about the loss:  {}", self.waits_at_loss)
    }
}

/// Counts what a fleet asks of its database.
#[derive(Default)]
struct Tally {
    writes: Mutex<BTreeMap<&'static str, u64>>,
    reads: AtomicU64,
}

impl Tally {
    fn writes(&self) -> MutexGuard<'_, BTreeMap<&'static str, u64>> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Fate for Tally {
    async fn of_write(&self, name: &'static str) -> End {
        *self.writes().entry(name).or_default() += 1;
        tokio::time::sleep(WRITE).await;
        End::Done
    }

    async fn answered(&self) {}

    async fn of_read(&self) -> Result<(), StoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(READ).await;
        Ok(())
    }
}

/// On a runtime of its own, whose clock is virtual.
pub fn run(fleet: Fleet) -> Seen {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(fleet.runs())
}

/// What was accepted, when.
#[derive(Default)]
struct Accepted {
    times: BTreeMap<MessageId, Timestamp>,
    of_crowded: BTreeSet<MessageId>,
}

impl Fleet {
    /// With the rate that as many lanes have at the busiest hour, if each sends a thousand messages a month: ten times that of
    /// an even flow.
    pub fn of(lanes: u64, replicas: u64) -> Self {
        let a_second = lanes * MESSAGES_A_MONTH * BUSIEST / SECONDS_A_MONTH;
        Self {
            seed: 1,
            lanes: u32::try_from(lanes).expect("so many"),
            replicas: usize::try_from(replicas).expect("so many"),
            lost: usize::try_from(replicas / 5).expect("so many"),
            crowded: u32::try_from(lanes / 1_000).expect("so many"),
            messages_a_second: u32::try_from(a_second).expect("so many").max(1),
            lasts: Duration::from_mins(1),
        }
    }

    async fn runs(self) -> Seen {
        let chance = Chance::of_seed(self.seed);
        let mut world =
            Builder { seed: self.seed, speed: SPEED, memory_bytes: MEMORY_BYTES, ..Builder::default() }
                .build();
        let mut lanes = Vec::new();
        for number in 0..self.lanes {
            lanes.push(world.reseller(&format!("r{number}")).await);
        }
        let mut accepted = Accepted::default();
        for lane in lanes.iter().take(self.crowded as usize) {
            for _ in 0..BACKLOG {
                let id = self.accepts(&world, &mut accepted, lane).await;
                accepted.of_crowded.insert(id);
            }
        }
        let tally = Arc::new(Tally::default());
        for _ in 0..self.replicas {
            world.adds_replica(Arc::clone(&tally) as Arc<dyn Fate>, SignedDuration::ZERO).starts();
        }
        let others = lanes.get(self.crowded as usize..).expect("lanes without a backlog");
        let begun = world.now();
        let third = self.lasts / 3;
        self.sends(&world, &chance, others, &mut accepted, third).await;
        for replica in world.replicas.iter().take(self.lost) {
            replica.crashes();
        }
        let lost_at = world.now();
        self.sends(&world, &chance, others, &mut accepted, 2 * third).await;
        let took = world.now().duration_since(begun).unsigned_abs();
        let reads = tally.reads.load(Ordering::Relaxed);
        self.drains(&world).await;
        let writes = tally.writes().clone();
        self.seen(&world, &accepted, lost_at, took, (writes, reads))
    }

    async fn accepts(&self, world: &World, accepted: &mut Accepted, lane: &ResellerId) -> MessageId {
        let mail = world.mail(lane, accepted.times.len() as u128);
        let (id, time) = (mail.id, mail.create_time);
        world.store.accept(mail, crate::world::UNBOUNDED).await.expect("accepted");
        accepted.times.insert(id, time);
        id
    }

    /// For so long, at the fleet's rate, each by one replica that lives.
    async fn sends(
        &self,
        world: &World,
        chance: &Chance,
        lanes: &[ResellerId],
        accepted: &mut Accepted,
        lasts: Duration,
    ) {
        let end = tokio::time::Instant::now() + lasts;
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / self.messages_a_second);
        while ticks.tick().await < end {
            let lane = chance.pick(lanes);
            self.accepts(world, accepted, lane).await;
            chance.pick(&world.replicas).wakes(lane);
        }
    }

    async fn drains(&self, world: &World) {
        let drained = tokio::time::timeout(DRAINED_WITHIN, async {
            while world.store.queue().await.expect("a queue").messages > 0 {
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
        });
        // What is left is told.
        drained.await.ok();
    }

    fn seen(
        self,
        world: &World,
        accepted: &Accepted,
        lost_at: Timestamp,
        took: Duration,
        (writes, reads): (BTreeMap<&'static str, u64>, u64),
    ) -> Seen {
        let mut arrived: BTreeMap<MessageId, Timestamp> = BTreeMap::new();
        for call in world.microsoft.calls() {
            arrived.entry(call.message).or_insert(call.time);
        }
        let waited = |is_wanted: &dyn Fn(Timestamp) -> bool| {
            let wanted = accepted
                .times
                .iter()
                .filter(|(id, time)| !accepted.of_crowded.contains(*id) && is_wanted(**time));
            Waits::of(
                wanted.filter_map(|(id, time)| Some(arrived.get(id)?.duration_since(*time).unsigned_abs())),
            )
        };
        let lease = crate::world::LEASE;
        let copies = world.microsoft.copies();
        let messages = accepted.times.len();
        let handled = copies.len().max(1);
        Seen {
            fleet: self,
            messages,
            doubled: copies.values().filter(|count| **count > 1).count(),
            unsent: messages - copies.len(),
            breaches: world.microsoft.breaches(),
            writes: writes.into_iter().map(|(verb, count)| (verb, ratio(count, handled))).collect(),
            reads: ratio(reads, self.replicas) / took.as_secs_f64(),
            waits: waited(&|time| time < lost_at - lease),
            waits_at_loss: waited(&|time| time >= lost_at - lease && time <= lost_at + lease),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
fn ratio(count: u64, of: usize) -> f64 {
    count as f64 / of as f64
}
