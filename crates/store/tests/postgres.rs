//! The suite on PostgreSQL, and what only a server can do: be shared, be restarted, be somebody else's.

#![expect(clippy::expect_used, reason = "helpers of tests")]

use std::sync::Arc;

use postrider_domain::TestClock;
use postrider_store::conformance::World;
use postrider_store::{Options, PostgresStore, StoreKind};
use postrider_testkit::Postgres;
use postrider_testkit::postgres::Database;

postrider_store::conformance!(world);

async fn world() -> World {
    let database = Postgres::shared().database();
    let clock = World::clock();
    let store = Arc::new(open(&database, &clock).await);
    World::new(store, clock, ())
}

async fn open(database: &Database<'_>, clock: &Arc<TestClock>) -> PostgresStore {
    let options = Options::of(StoreKind::Real);
    PostgresStore::open(&database.url(), clock.clone(), Some(clock.clone()), options).await.expect("opened")
}
