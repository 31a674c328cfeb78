//! Promise: what a fleet asks of its database for a message does not grow with the fleet, and what was under way where
//! replicas died goes on elsewhere within a lease.

use std::time::Duration;

use postrider_simulation::fleet::{self, Fleet};
use postrider_simulation::world::LEASE;

/// Another replica looks every second, and takes the lane.
const FOUND_WITHIN: Duration = Duration::from_secs(3);

#[test]
fn a_fleet_takes_each_message_once_to_the_database_and_outlives_the_loss_of_a_fifth() {
    let seen = fleet::run(Fleet::of(20_000, 20));
    assert_eq!((seen.unsent, seen.breaches.len()), (0, 0), "{seen}");
    for (verb, most) in [("start", 1.1), ("end", 1.1), ("release", 1.1), ("expire", 0.1), ("renew", 0.1)] {
        let a_message = seen.writes.get(verb).copied().unwrap_or_default();
        assert!(a_message <= most, "{a_message} of {verb} a message:\n{seen}");
    }
    assert!(seen.waits.p99 < Duration::from_secs(2), "{seen}");
    assert!(seen.waits_at_loss.longest < LEASE + FOUND_WITHIN, "{seen}");
}
