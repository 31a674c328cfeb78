//! Those who watch: they resume after their cursor, over replicas that die and lines that are cut, and note what they were
//! told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use postrider_domain::{Message, MessageId, MessageState, ResellerId};
use postrider_store::{Change, Event, Events as _, Position};

use crate::Chance;
use crate::world::World;

const AT_ONCE: u32 = 20;
/// Of a lane that was stopped or let go, fewer: so that much happens between two parts.
const OF_LANE_AT_ONCE: u32 = 2;
/// Mail that comes due in a lane that is stopped is told within this.
const HELD_WITHIN: Duration = Duration::from_secs(15);

/// What was told, and what was wrong with how.
#[derive(Debug, Default, Clone)]
pub struct Told {
    pub states: BTreeMap<MessageId, Vec<MessageState>>,
    pub faults: Vec<String>,
    numbers: BTreeMap<ResellerId, i64>,
}

impl Told {
    /// `of_lane`: what a lane's event is about.
    fn hears(&mut self, event: &Event, of_lane: &[Message]) {
        let before = self.numbers.insert(event.reseller.clone(), event.number).unwrap_or(0);
        if event.number != before + 1 {
            self.faults.push(format!("{}: event {} after {before}", event.reseller, event.number));
        }
        match &event.change {
            Change::Message(Some(message)) => self.states.entry(message.id).or_default().push(message.state),
            Change::Message(None) => self.faults.push(format!("{}: an event of nothing", event.reseller)),
            Change::Lane { .. } => {
                for message in of_lane {
                    self.states.entry(message.id).or_default().push(message.state);
                }
            }
        }
    }
}

/// See the module.
pub struct Watcher {
    world: Arc<World>,
    chance: Chance,
    told: Mutex<Told>,
}

impl Watcher {
    pub fn new(world: Arc<World>, chance: Chance) -> Self {
        Self { world, chance, told: Mutex::default() }
    }

    pub fn told(&self) -> Told {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it is about, in parts, however often a replica does not answer.
    async fn of_lane(&self, event: &Event) -> Vec<Message> {
        let mut all: Vec<Message> = Vec::new();
        if !matches!(event.change, Change::Lane { .. }) {
            return all;
        }
        loop {
            let replica = self.chance.pick(&self.world.replicas);
            let after = all.last().map(|message| message.id);
            match replica.store.waited(event, after, OF_LANE_AT_ONCE).await {
                Ok(part) if part.is_empty() => return all,
                Ok(part) => all.extend(part),
                Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
            }
        }
    }

    /// Watches all resellers, from the beginning, over whatever replica answers; until aborted.
    pub async fn watches(self: Arc<Self>) {
        let mut after = Position { order: 0, reseller: String::new(), number: 0 };
        loop {
            let replica = self.chance.pick(&self.world.replicas);
            match replica.store.all_events(&after, AT_ONCE).await {
                Ok(Some(events)) => {
                    for event in &events {
                        let of_lane = self.of_lane(event).await;
                        self.lock().hears(event, &of_lane);
                        after = event.position();
                    }
                    if !events.is_empty() {
                        continue;
                    }
                }
                Ok(None) => {
                    self.lock().faults.push("events are gone".to_owned());
                    return;
                }
                Err(_) => {}
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Once all is over: whoever reads from the beginning is told what those were who heard it as it happened.
    pub async fn reads_again(&self) {
        let again = Self::new(Arc::clone(&self.world), self.chance.split());
        let mut after = Position { order: 0, reseller: String::new(), number: 0 };
        while let Ok(Some(events)) = again.world.store.all_events(&after, AT_ONCE).await {
            let Some(last) = events.last() else { break };
            after = last.position();
            for event in &events {
                let of_lane = again.of_lane(event).await;
                again.lock().hears(event, &of_lane);
            }
        }
        let (first, again) = (self.told(), again.told());
        for (id, states) in &first.states {
            let then = again.states.get(id);
            if then != Some(states) {
                self.lock().faults.push(format!("{id} was told as {states:?}, and later as {then:?}"));
            }
        }
    }

    /// Whether what is read is what was told last, but for what happens meanwhile.
    pub async fn compares(&self, resellers: &[ResellerId]) {
        let read = async || {
            let mut all = Vec::new();
            for reseller in resellers {
                all.extend(self.world.messages(reseller).await);
            }
            all
        };
        loop {
            tokio::time::sleep(self.chance.millis(5_000, 20_000)).await;
            let before = read().await;
            // Whoever watches has read all by then.
            tokio::time::sleep(Duration::from_secs(3)).await;
            let (after, told, now) = (read().await, self.told(), self.world.now());
            for (message, later) in before.iter().zip(&after) {
                let last = told.states.get(&message.id).and_then(|states| states.last());
                let is_still = message.state == later.state && message.update_time == later.update_time;
                let came_due = message.send_time.is_some_and(|due| due + HELD_WITHIN > now);
                if message.id == later.id && is_still && last != Some(&message.state) && !came_due {
                    let fault =
                        format!("{} reads as {:?}, and was last told as {last:?}", message.id, message.state);
                    self.lock().faults.push(fault);
                }
            }
        }
    }
}
