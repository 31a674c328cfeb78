//! What goes wrong by itself, and comes right again: processes die, lines are cut, settings break, Microsoft is away.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use postrider_domain::ResellerId;
use postrider_store::Outbox as _;
use tokio::task::JoinSet;

use crate::Chance;
use crate::plan::Faults;
use crate::replica::{Replica, Storm};
use crate::world::{LEASE, World};

/// See the module.
#[derive(Clone)]
pub struct Weather {
    pub world: Arc<World>,
    pub storms: Vec<Arc<Storm>>,
    pub resellers: Vec<ResellerId>,
    pub faults: Faults,
    pub chance: Chance,
}

impl Weather {
    /// Until aborted; whatever is broken then is mended by [`Weather::clears`].
    pub async fn rages(self) {
        self.storms.iter().for_each(|storm| storm.rages(true));
        self.world.microsoft.storms(true);
        let mut troubles = JoinSet::new();
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let faults = self.faults;
            if self.chance.one_in(faults.crash) {
                troubles.spawn(self.clone().a_replica_dies());
            }
            if self.chance.one_in(faults.partition) {
                troubles.spawn(self.clone().a_line_is_cut());
            }
            if self.chance.one_in(faults.broken) {
                troubles.spawn(self.clone().settings_break());
            }
            if self.chance.one_in(faults.paused) {
                troubles.spawn(self.clone().a_lane_is_paused());
            }
            if self.chance.one_in(faults.lowered) {
                troubles.spawn(self.clone().a_limit_is_lowered());
            }
            if self.chance.one_in(faults.outage) {
                troubles.spawn(self.clone().microsoft_is_away());
            }
        }
    }

    /// From now on all goes well.
    pub async fn clears(&self) {
        self.world.microsoft.storms(false);
        self.world.microsoft.is_away(false);
        for storm in &self.storms {
            storm.rages(false);
            storm.cuts(false);
        }
        for replica in &self.world.replicas {
            if replica.is_finished() {
                replica.starts();
            }
        }
        for reseller in &self.resellers {
            self.mends(reseller).await;
            self.lifts(reseller).await;
            self.resumes(reseller).await;
        }
    }

    async fn resumes(&self, reseller: &ResellerId) {
        self.world.microsoft.is_free(reseller);
        self.world.store.resume(reseller).await.expect("resumed");
    }

    fn replica(&self) -> &Arc<Replica> {
        self.chance.pick(&self.world.replicas)
    }

    async fn a_replica_dies(self) {
        let replica = Arc::clone(self.replica());
        self.world.struck.count("crash");
        if self.chance.one_in(4) {
            replica.shuts_down();
            tokio::time::sleep(self.chance.millis(10, 3_000)).await;
        }
        replica.crashes();
        tokio::time::sleep(self.chance.millis(10, 30_000)).await;
        if replica.is_finished() {
            replica.starts();
        }
    }

    async fn a_line_is_cut(self) {
        let storm = Arc::clone(self.chance.pick(&self.storms));
        self.world.struck.count("partition");
        storm.cuts(true);
        tokio::time::sleep(LEASE + self.chance.millis(0, 90_000)).await;
        storm.cuts(false);
    }

    async fn settings_break(self) {
        let reseller = self.chance.pick(&self.resellers).clone();
        self.world.struck.count("settings broken");
        self.world.microsoft.breaks(&reseller);
        tokio::time::sleep(self.chance.millis(1_000, 300_000)).await;
        self.mends(&reseller).await;
    }

    /// At Microsoft's side alone, or with settings saved anew.
    async fn mends(&self, reseller: &ResellerId) {
        self.world.microsoft.mends(reseller);
        if self.chance.one_in(2) {
            self.world.puts(self.world.settings(reseller)).await;
            self.replica().hears_of_lane(reseller);
        }
    }

    async fn a_lane_is_paused(self) {
        let reseller = self.chance.pick(&self.resellers).clone();
        self.world.struck.count("paused");
        self.world.store.pause(&reseller, "a look at it").await.expect("paused");
        self.world.microsoft.is_paused(&reseller);
        self.replica().hears_of_lane(&reseller);
        tokio::time::sleep(self.chance.millis(1_000, 120_000)).await;
        self.resumes(&reseller).await;
        self.replica().hears_of_lane(&reseller);
    }

    async fn a_limit_is_lowered(self) {
        let reseller = self.chance.pick(&self.resellers).clone();
        self.world.struck.count("limit lowered");
        let mut lowered = self.world.settings(&reseller);
        lowered.values.pace.recipients_per_day = Some(1 + self.chance.below(8));
        self.world.puts(lowered).await;
        self.world.microsoft.are_saved(&reseller);
        self.replica().hears_of_lane(&reseller);
        tokio::time::sleep(self.chance.millis(1_000, 120_000)).await;
        self.lifts(&reseller).await;
    }

    /// Nobody is told but by what is written down.
    async fn lifts(&self, reseller: &ResellerId) {
        if self.faults.lowered > 0 {
            self.world.puts(self.world.settings(reseller)).await;
            self.world.microsoft.are_saved(reseller);
        }
    }

    async fn microsoft_is_away(self) {
        self.world.struck.count("outage");
        self.world.microsoft.is_away(true);
        tokio::time::sleep(self.chance.millis(5_000, 240_000)).await;
        self.world.microsoft.is_away(false);
    }
}

/// How far each replica's clock is off.
pub fn skew(chance: &Chance, most_millis: u32) -> SignedDuration {
    let off = i64::from(chance.below(2 * most_millis + 1)) - i64::from(most_millis);
    SignedDuration::from_millis(off)
}
