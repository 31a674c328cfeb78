//! What happens when a COMMIT fails, a write cannot be done, or the file is away.

use std::sync::Arc;

use futures::FutureExt;
use postrider_domain::MessageState;
use tokio::sync::watch;

use super::SqliteStore;
use super::connection::Fault;
use crate::backend::Backend as _;
use crate::book::{Book, Needs};
use crate::conformance::{UNBOUNDED, World, seconds};
use crate::sql::Statement;
use crate::verbs::Write;
use crate::{
    Accepted, Events, MessageFilter, NewMessage, Options, Outbox, SettingsStore, Store, StoreError,
    StoreHealth, StoreKind,
};

struct Given {
    store: Arc<SqliteStore>,
    world: World,
}

async fn given() -> Given {
    given_with(Options::of(StoreKind::Real)).await
}

async fn given_with(options: Options) -> Given {
    let (directory, clock) = (tempfile::TempDir::new().expect("a directory"), World::clock());
    let path = directory.path().join("postrider.db");
    let store = SqliteStore::open(&path, clock.clone(), options).await.expect("opened");
    let store = Arc::new(store);
    Given { world: World::new(store.clone(), clock, directory), store }
}

impl Given {
    fn next_commit(&self, fault: Fault) {
        self.store.shared.faults.add(fault);
    }
}

async fn is_serving_again(health: &mut watch::Receiver<StoreHealth>) {
    health.wait_for(|health| *health == StoreHealth::Serving).await.expect("the writer lives");
}

/// Writes a row that the database refuses.
struct Poison;

impl Write for Poison {
    type Answer = ();

    const NAME: &'static str = "poison";

    fn needs(&self, _: &mut Needs) {}

    fn run(&self, book: &mut Book) -> Result<(), StoreError> {
        book.meta.insert("kind", "taken".to_owned());
        Ok(())
    }
}

#[tokio::test]
async fn a_commit_that_failed_is_unknown_and_the_file_is_read_before_anything_else() {
    for (fault, stored) in [(Fault::CommitLost, false), (Fault::AnswerLost, true)] {
        let given = given().await;
        let Given { store, world } = &given;
        let acme = world.reseller("acme").await;
        let mut health = store.health();
        let new = world.mail_of_request(&acme, "order-1");
        given.next_commit(fault);
        let unknown = store.accept(new.clone(), UNBOUNDED).await;
        assert!(matches!(unknown, Err(StoreError::CommitUnknown { .. })), "{unknown:?}");
        is_serving_again(&mut health).await;
        let found = store.get_message(&acme, &new.id).await.expect("an answer");
        assert_eq!(found.is_some(), stored);
        match store.accept(world.mail_of_request(&acme, "order-1"), UNBOUNDED).await.expect("an answer") {
            Accepted::Replayed(message) => assert!(stored && message.id == new.id),
            Accepted::New(_) => assert!(!stored),
            other @ Accepted::Refused(_) => panic!("neither: {other:?}"),
        }
    }
}

#[tokio::test]
async fn leases_live_on_when_the_file_is_opened_again() {
    let given = given().await;
    let world = &given.world;
    let acme = world.reseller("acme").await;
    let id = world.accepted(&acme).await;
    let holder = crate::conformance::token(1);
    world.leased(&acme, holder).await;
    given.next_commit(Fault::CommitLost);
    let mut health = given.store.health();
    assert!(given.store.renew(&acme, holder, seconds(10)).await.is_err());
    is_serving_again(&mut health).await;
    assert!(world.starts(&acme, holder, id, 1).await);
}

#[tokio::test]
async fn what_cannot_be_written_fails_alone() {
    let Given { store, world } = &given().await;
    let acme = world.reseller("acme").await;
    let good = (0..20).map(|_| world.mail(&acme)).collect::<Vec<_>>();
    let accepts = futures::future::join_all(good.iter().map(|new| store.accept(new.clone(), UNBOUNDED)));
    let (first, accepted, last) = tokio::join!(store.write(Poison), accepts, store.write(Poison));
    for poisoned in [first, last] {
        assert!(matches!(poisoned, Err(StoreError::Unavailable { .. })), "{poisoned:?}");
    }
    assert!(accepted.iter().all(|answer| matches!(answer, Ok(Accepted::New(_)))));
    for new in good {
        assert_eq!(world.state(&acme, new.id).await, MessageState::Accepted);
    }
    let events = store.events(&acme, 0, 100).await.expect("an answer").expect("none is gone");
    let numbers: Vec<_> = events.iter().map(|event| event.number).collect();
    assert_eq!(numbers, (1..=20).collect::<Vec<_>>(), "what was rolled back leaves no gap");
    assert_eq!(*store.health().borrow(), StoreHealth::Serving);
}

#[tokio::test]
async fn without_room_no_mail_is_accepted_and_outcomes_are_still_written() {
    let Given { store, world } =
        &given_with(Options { free_bytes_min: u64::MAX, ..Options::of(StoreKind::Real) }).await;
    let acme = world.reseller("acme").await;
    let refused = store.accept(world.mail(&acme), UNBOUNDED).await;
    assert!(matches!(refused, Err(StoreError::Full { .. })), "{refused:?}");
    let none = store.list_messages(&acme, MessageFilter { limit: 1, ..Default::default() }).await;
    assert!(none.expect("a page").messages.is_empty());
    world.put(world.new_settings(&acme)).await;
    assert_eq!(*store.health().borrow(), StoreHealth::Serving, "what needs no room goes on");
}

#[tokio::test]
async fn mail_that_finds_too_much_waiting_is_refused_at_once() {
    let Given { store, world } = &given().await;
    let acme = world.reseller("acme").await;
    let many: Vec<NewMessage> = (0..3_000).map(|_| world.mail(&acme)).collect();
    let answers = futures::future::join_all(many.into_iter().map(|new| store.accept(new, UNBOUNDED))).await;
    let refused = answers.iter().filter(|a| matches!(a, Err(StoreError::Overloaded))).count();
    let accepted = answers.iter().filter(|a| matches!(a, Ok(Accepted::New(_)))).count();
    assert!(refused > 0 && accepted >= 1_024, "{refused} refused, {accepted} accepted");
    assert_eq!(refused + accepted, 3_000);
    assert_eq!(usize::try_from(store.queue().await.expect("an answer").messages), Ok(accepted));
}

#[tokio::test]
async fn while_the_file_cannot_be_opened_writes_are_refused_and_then_go_on() {
    let given = given().await;
    let world = &given.world;
    let acme = world.reseller("acme").await;
    let path = given.store.shared.place.path.clone();
    let aside = path.with_extension("aside");
    // On Linux an open file may be moved: what is reopened is not there.
    std::fs::rename(&path, &aside).expect("moved");
    given.next_commit(Fault::CommitLost);
    let mut health = given.store.health();
    let unknown = given.store.accept(world.mail(&acme), UNBOUNDED).await;
    assert!(matches!(unknown, Err(StoreError::CommitUnknown { .. })), "{unknown:?}");
    let refused = given.store.accept(world.mail(&acme), UNBOUNDED).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    assert_eq!(*health.borrow(), StoreHealth::Away);
    std::fs::rename(&aside, &path).expect("moved back");
    is_serving_again(&mut health).await;
    world.accepted(&acme).await;
    assert!(given.store.get_settings(&acme).await.expect("an answer").is_some());
}

#[tokio::test]
async fn lists_leave_readers_free_for_everything_else() {
    let Given { store, world } = given().await;
    let acme = world.reseller("acme").await;
    let id = world.accepted(&acme).await;
    let lists = (0..super::READERS).map(|_| store.shared.pages.turn(&PAGE));
    let served: Vec<_> = lists.filter_map(FutureExt::now_or_never).collect();
    assert_eq!(served.len(), super::READERS as usize / 2);
    assert_eq!(world.message(&acme, id).await.state, MessageState::Accepted);
}

static PAGE: Statement = Statement::new("a page", "", "").of_a_page();

#[tokio::test]
async fn a_database_whose_readers_are_busy_is_not_away() {
    let Given { store, world } = given().await;
    let acme = world.reseller("acme").await;
    let id = world.accepted(&acme).await;
    let pool = store.shared.reader();
    let mut busy = Vec::new();
    for _ in 0..super::READERS {
        busy.push(pool.acquire().await.expect("a reader"));
    }
    tokio::time::pause();
    let read = store.get_message(&acme, &id).await;
    assert!(matches!(read, Err(StoreError::Overloaded)), "{read:?}");
    drop(busy);
    assert_eq!(world.message(&acme, id).await.state, MessageState::Accepted);
}
