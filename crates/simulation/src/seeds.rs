//! Many seeds, over all cores, each run twice: the second run must be the first again.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Trace;

/// What became of them.
#[derive(Debug, Default)]
pub struct Summary {
    pub seeds: u64,
    /// By seed, in words.
    pub failures: BTreeMap<u64, String>,
    pub struck: BTreeMap<&'static str, u64>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failure in self.failures.values() {
            writeln!(f, "{failure}")?;
        }
        writeln!(f, "{} seeds, {} failed", self.seeds, self.failures.len())?;
        for (fault, count) in &self.struck {
            writeln!(f, "{count:>9}  {fault}")?;
        }
        Ok(())
    }
}

/// Stops at the tenth failure.
pub fn run(seeds: Range<u64>) -> Summary {
    let next = AtomicU64::new(seeds.start);
    let summary = Mutex::new(Summary::default());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || summary.lock().expect("no panic").failures.len() >= 10 {
                        return;
                    }
                    let report = self::run_twice(seed);
                    let mut summary = summary.lock().expect("no panic");
                    summary.seeds += 1;
                    match report {
                        Ok(struck) => {
                            for (fault, count) in struck {
                                *summary.struck.entry(fault).or_default() += count;
                            }
                        }
                        Err(failure) => {
                            summary.failures.insert(seed, failure);
                        }
                    }
                }
            });
        }
    });
    summary.into_inner().expect("no panic")
}

fn run_twice(seed: u64) -> Result<BTreeMap<&'static str, u64>, String> {
    let report = crate::run::run(seed, &Trace::default());
    if !report.faults.is_empty() {
        return Err(report.failure());
    }
    let again = run_again(seed);
    if again != report.hash {
        return Err(format!("seed {seed} does not replay: {:?}, then {again:?}", report.hash));
    }
    Ok(report.struck)
}

fn run_again(seed: u64) -> (u64, u64) {
    crate::run::run(seed, &Trace::default()).hash
}
