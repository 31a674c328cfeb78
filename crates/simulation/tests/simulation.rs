//! Promise: whatever fails and however it fails, nothing is lost, nothing is doubled in silence, no limit is broken, and
//! all comes to an end once it stops failing. And: a seed does the same each time.

use postrider_simulation::seeds;

const SEEDS: u64 = 2_000;
/// Each strikes at least so often, or the run proves nothing of it.
const STRUCK_MIN: u64 = 20;
const FAULTS: [&str; 23] = [
    "answer later than a lease",
    "cancelled",
    "commit applied, not answered",
    "commit lost",
    "crash",
    "large",
    "limit lowered",
    "not taken, and not answered",
    "outage",
    "partition",
    "paused",
    "queue full",
    "rejected",
    "retried",
    "settings broken",
    "settings refused",
    "slow",
    "taken, but not answered",
    "throttled",
    "token refused",
    "transaction later than a lease",
    "transaction refused",
    "twins",
];

#[test]
fn nothing_wrong_happens_in_any_storm_and_all_ends_in_the_calm_after_it() {
    let summary = seeds::run(0..SEEDS);
    assert!(summary.failures.is_empty(), "{summary}\nreplay: cargo xtask simulate --trace SEED");
    for fault in FAULTS {
        let count = summary.struck.get(fault).copied().unwrap_or(0);
        assert!(count >= STRUCK_MIN, "{fault} struck {count} times:\n{summary}");
    }
}
