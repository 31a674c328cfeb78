//! Promise: the simulation finds what it is there to find. Each bug that is planted is found within 1,000 seeds.
#![cfg(feature = "planted")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use postrider_domain::{Bug, plant};
use postrider_simulation::{Trace, run::run};

const SEEDS: u64 = 1_000;

#[test]
fn each_planted_bug_is_found() {
    let next = AtomicUsize::new(0);
    let missed = Mutex::new(Vec::new());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some(bug) = Bug::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
                    plant(Some(*bug));
                    let found = (0..SEEDS).find_map(|seed| {
                        let faults = run(seed, &Trace::default()).faults;
                        faults.into_iter().next().map(|fault| (seed, fault))
                    });
                    match found {
                        Some((seed, fault)) => println!("{bug:?}: seed {seed}: {fault}"),
                        None => missed.lock().expect("no panic").push(*bug),
                    }
                }
            });
        }
    });
    let missed = missed.into_inner().expect("no panic");
    assert!(missed.is_empty(), "not found within {SEEDS} seeds: {missed:?}");
}
