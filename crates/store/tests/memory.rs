//! The suite on the model that the simulation runs on.

use postrider_store::Retention;
use postrider_store::conformance::World;
use postrider_store::memory::MemoryStore;

postrider_store::conformance!(world);

async fn world() -> World {
    let clock = World::clock();
    World::new(std::sync::Arc::new(MemoryStore::new(clock.clone(), Retention::default())), clock, ())
}
