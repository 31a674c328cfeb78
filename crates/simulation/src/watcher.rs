//! Those who watch: they resume after their cursor, over replicas that die and lines that are cut, and note what they were
//! told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use postrider_domain::{MessageId, MessageState, ResellerId};
use postrider_store::{Change, Event, Events as _, Position};

use crate::Chance;
use crate::world::World;

const AT_ONCE: u32 = 20;

/// What was told, and what was wrong with how.
#[derive(Debug, Default, Clone)]
pub struct Told {
    pub states: BTreeMap<MessageId, Vec<MessageState>>,
    pub faults: Vec<String>,
    numbers: BTreeMap<ResellerId, i64>,
}

impl Told {
    fn hears(&mut self, event: &Event) {
        let before = self.numbers.insert(event.reseller.clone(), event.number).unwrap_or(0);
        if event.number != before + 1 {
            self.faults.push(format!("{}: event {} after {before}", event.reseller, event.number));
        }
        match &event.change {
            Change::Message(Some(message)) => self.states.entry(message.id).or_default().push(message.state),
            Change::Message(None) => self.faults.push(format!("{}: an event of nothing", event.reseller)),
            Change::Lane { .. } => {}
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
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Watches all resellers, from the beginning, over whatever replica answers; until aborted.
    pub async fn watches(self: Arc<Self>) {
        let mut after = Position { order: 0, reseller: String::new(), number: 0 };
        loop {
            let replica = self.chance.pick(&self.world.replicas);
            match replica.store.all_events(&after, AT_ONCE).await {
                Ok(Some(events)) => {
                    let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
                    for event in &events {
                        told.hears(event);
                        after = event.position();
                    }
                    if !events.is_empty() {
                        continue;
                    }
                }
                Ok(None) => {
                    let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
                    told.faults.push("events are gone".to_owned());
                    return;
                }
                Err(_) => {}
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}
