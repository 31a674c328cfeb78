//! A seed from beginning to end: a storm, in which nothing wrong may happen, then calm, in which everything ends.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Once};
use std::time::Duration;

use jiff::SignedDuration;
use postrider_domain::ResellerId;
use postrider_store::Outbox as _;

use crate::callers::Callers;
use crate::checker::{Fault, Logs};
use crate::plan::Plan;
use crate::replica::Storm;
use crate::watcher::Watcher;
use crate::weather::{Weather, skew};
use crate::world::{Builder, LEASE, World};
use crate::{Chance, Trace};

/// When all faults have stopped, all messages end within this: longer than the longest gap between two tries.
const DRAINED_WITHIN: Duration = Duration::from_hours(6);

/// What became of a seed.
#[derive(Debug)]
pub struct Report {
    pub seed: u64,
    pub plan: Plan,
    /// What must not be; empty if all is well.
    pub faults: Vec<Fault>,
    /// Hash and lines of the trace.
    pub hash: (u64, u64),
    pub struck: BTreeMap<&'static str, u64>,
}

impl Report {
    /// For whoever has to find out why.
    pub fn failure(&self) -> String {
        let mut text = format!("seed {}: {:#?}\n", self.seed, self.plan);
        for fault in &self.faults {
            writeln!(text, "  {fault}").expect("written");
        }
        text
    }
}

/// The same seed does the same each time.
pub fn run(seed: u64, trace: &Trace) -> Report {
    let panics = panics();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let mut report = runtime.block_on(storm_and_calm(seed, trace.clone()));
    drop(runtime);
    if panics != self::panics() {
        report.faults.push(Fault::Panicked);
    }
    report.hash = trace.hash();
    report
}

async fn storm_and_calm(seed: u64, trace: Trace) -> Report {
    let plan = Plan::of_seed(seed);
    let chance = Chance::of_seed(seed ^ 0x5eed);
    let mut world =
        Builder { seed, faults: plan.faults, pace: plan.pace, trace, ..Builder::default() }.build();
    let mut storms = Vec::new();
    for _ in 0..plan.replicas {
        let storm = Arc::new(Storm::new(chance.split(), plan.faults, world.struck.clone(), LEASE));
        storms.push(Arc::clone(&storm));
        let off = if plan.replicas == 1 { SignedDuration::ZERO } else { skew(&chance, plan.skew_millis) };
        world.adds_replica(storm, off).starts();
    }
    let names = ["acme", "bolt", "cork", "dune"];
    let mut resellers = Vec::new();
    for name in names.iter().take(plan.resellers as usize) {
        resellers.push(world.reseller(name).await);
    }
    let world = Arc::new(world);
    let weather = Weather {
        world: Arc::clone(&world),
        storms,
        resellers: resellers.clone(),
        faults: plan.faults,
        chance: chance.split(),
    };
    let callers = Arc::new(Callers::new(Arc::clone(&world), plan.clone(), chance.split()));
    let watcher = Arc::new(Watcher::new(Arc::clone(&world), chance.split()));
    let watching = tokio::spawn(Arc::clone(&watcher).watches());
    let comparing = {
        let (watcher, resellers, alone) =
            (Arc::clone(&watcher), resellers.clone(), plan.faults.leave_storage_alone());
        tokio::spawn(async move {
            if alone {
                watcher.compares(&resellers).await;
            }
        })
    };
    let raging = tokio::spawn(weather.clone().rages());
    let retrying = tokio::spawn(Arc::clone(&callers).retries());
    let sending = {
        let (callers, resellers) = (Arc::clone(&callers), resellers.clone());
        tokio::spawn(async move { callers.all_send(&resellers).await })
    };
    tokio::time::sleep(plan.stormy).await;
    raging.abort();
    retrying.abort();
    comparing.abort();
    weather.clears().await;
    let is_drained = tokio::time::timeout(DRAINED_WITHIN, async {
        sending.await.expect("callers");
        drains(&world, &resellers).await;
    });
    is_drained.await.ok();
    // The watcher has read all by then.
    tokio::time::sleep(Duration::from_secs(5)).await;
    watching.abort();
    watcher.reads_again().await;
    let mut logs = logs(&world, &resellers, &callers, &watcher).await;
    logs.clocks_apart = Duration::from_millis(2 * u64::from(plan.skew_millis));
    if plan.faults.stop_lanes() {
        logs.stopped.extend(resellers);
    }
    let faults = logs.check();
    Report { seed, plan, faults, hash: (0, 0), struck: world.struck.counts() }
}

/// Until all has ended, and every outcome that is known is written down.
async fn drains(world: &World, resellers: &[ResellerId]) {
    loop {
        let mut unfinished = 0;
        for reseller in resellers {
            let messages = world.messages(reseller).await;
            unfinished += messages.iter().filter(|message| !message.state.is_end()).count();
        }
        if unfinished == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

async fn logs(world: &World, resellers: &[ResellerId], callers: &Callers, watcher: &Watcher) -> Logs {
    let mut messages = Vec::new();
    for reseller in resellers {
        messages.extend(world.messages(reseller).await);
    }
    let told = watcher.told();
    let queue = world.store.queue().await.expect("a queue");
    Logs {
        asked: callers.log(),
        copies: world.microsoft.copies(),
        contents: world.microsoft.contents(),
        rejected: world.microsoft.rejected(),
        told: world.microsoft.told(),
        stopped: BTreeSet::new(),
        breaches: world.microsoft.breaches(),
        messages,
        watched: told.states,
        watch_faults: told.faults,
        queued: queue.messages,
        clocks_apart: Duration::ZERO,
    }
}

thread_local! {
    static PANICS: Cell<u64> = const { Cell::new(0) };
}

/// How many there were on this thread: those of a task are heard by nobody else.
fn panics() -> u64 {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.with(|panics| panics.set(panics.get() + 1));
            before(info);
        }));
    });
    PANICS.with(Cell::get)
}
