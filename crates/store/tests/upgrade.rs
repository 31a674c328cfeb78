//! A database of the first release opens under this one and keeps all: what waits, what ended, what is known of both.

#![expect(clippy::expect_used, reason = "helpers of tests")]

use std::sync::Arc;

use postrider_domain::{FindingCode, MessageId, MessageState, Outcome, SettingsState};
use postrider_store::conformance::{UNBOUNDED, World, again, at, sent, token};
use postrider_store::{Accepted, KeyId, NewMessage, Options, SqliteStore, Steered, StoreKind};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqlSafeStr as _};

const FIRST: &str = include_str!("../migrations/sqlite/0001_initial.sql");
const DATA: &str = include_str!("upgrade/first_release.sql");

/// The store over a file as the first release made and filled it.
async fn opened() -> World {
    let directory = tempfile::TempDir::new().expect("a directory");
    let path = directory.path().join("postrider.db");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true).foreign_keys(true);
    let mut db = options.connect().await.expect("connected");
    let first = Migration::new(1, "initial".into(), MigrationType::Simple, FIRST.into_sql_str(), false);
    Migrator::with_migrations(vec![first]).run(&mut db).await.expect("made");
    sqlx::raw_sql(DATA).execute(&mut db).await.expect("filled");
    db.close().await.expect("closed");
    let clock = World::clock();
    let store = SqliteStore::open(&path, clock.clone(), Options::of(StoreKind::Real)).await.expect("opened");
    World::new(Arc::new(store), clock, directory)
}

fn id(number: u128) -> MessageId {
    MessageId::of_uuid(uuid::Uuid::from_u128(number))
}

#[tokio::test]
async fn every_message_is_there_in_its_state_with_its_attempts_and_content() {
    let world = opened().await;
    let (acme, beta, gone) = (World::slug("acme"), World::slug("beta"), World::slug("gone"));
    for (number, state, attempts, has_content) in [
        (1, MessageState::Accepted, 0, true),
        (2, MessageState::Scheduled, 0, true),
        (3, MessageState::Sending, 1, true),
        (4, MessageState::Sent, 1, false),
        (5, MessageState::OutcomeUnknown, 1, true),
        (6, MessageState::Failed, 1, true),
    ] {
        let message = world.message(&acme, id(number)).await;
        assert_eq!((message.state, message.attempts.len()), (state, attempts), "{number}");
        assert_eq!(message.internet_message_id, Some(format!("<{number}@acme.example>")));
        assert_eq!(world.has_content(&acme, id(number)).await, has_content, "{number}");
    }
    let waits = world.message(&acme, id(1)).await;
    assert_eq!(
        (waits.subject.as_str(), waits.recipient_count, waits.labels["team"].as_str()),
        ("Waits", 2, "blue")
    );
    let content = world.store.content(&acme, &id(1)).await.expect("content").expect("there");
    assert_eq!(content.body.as_ref(), b"body 1");
    let sent = world.message(&acme, id(4)).await;
    assert_eq!(sent.attempts[0].outcome, Some(Outcome::Sent));
    assert_eq!(sent.attempts[0].graph_request_id.as_deref(), Some("graph-4"));
    assert_eq!(world.state(&beta, id(7)).await, MessageState::Held);
    assert_eq!(world.state(&gone, id(8)).await, MessageState::Cancelled);
}

#[tokio::test]
async fn settings_credentials_and_keys_are_there() {
    let world = opened().await;
    let (acme, beta) = (World::slug("acme"), World::slug("beta"));
    let settings = world.settings(&acme).await;
    assert_eq!(settings.values.mailbox.to_string(), "sales@acme.example");
    assert_eq!(settings.values.pace.messages_per_minute, Some(7));
    assert_eq!(settings.status.state, SettingsState::Ready);
    let held = world.settings(&beta).await.status;
    assert_eq!(held.state, SettingsState::Paused);
    assert_eq!(held.finding.map(|finding| finding.code), Some(FindingCode::SecretWrong));
    assert!(world.store.get_sealed(&acme, "v3").await.expect("an answer").is_some());
    assert!(world.store.find_key(&KeyId::of_text("k1")).await.expect("an answer").is_some());
    let usage = world.store.usage(&acme, world.now()).await.expect("usage");
    assert_eq!(
        (usage.queued_messages, usage.recipients_last_day),
        (3, 5),
        "what flies or is in doubt counts"
    );
    // No etag comes twice.
    let (before, put) = (settings.etag, world.put(world.new_settings(&acme)).await.etag);
    assert_ne!(put, before);
    let reborn = world.put(world.new_settings(&World::slug("gone"))).await;
    assert_eq!(reborn.etag.as_str(), "8");
}

#[tokio::test]
async fn a_request_is_still_known_and_known_for_a_day_after_its_end() {
    let world = opened().await;
    let acme = World::slug("acme");
    for (request, number) in [("order-1", 1), ("order-4", 4)] {
        let repeated = NewMessage { id: id(99), ..world.mail_of_request(&acme, request) };
        let answer = world.store.accept(repeated, UNBOUNDED).await.expect("an answer");
        assert!(matches!(&answer, Accepted::Replayed(message) if message.id == id(number)), "{answer:?}");
    }
    world.advance(25 * 3_600);
    while world.store.purge().await.expect("purged") {}
    let waits = world.mail_of_request(&acme, "order-1");
    let answer = world.store.accept(waits, UNBOUNDED).await.expect("an answer");
    assert!(matches!(answer, Accepted::Replayed(_)), "it has not ended: {answer:?}");
    let ended = NewMessage { id: id(99), ..world.mail_of_request(&acme, "order-4") };
    let answer = world.store.accept(ended, UNBOUNDED).await.expect("an answer");
    assert!(matches!(answer, Accepted::New(_)), "{answer:?}");
}

#[tokio::test]
async fn the_lanes_go_on_with_what_was_left() {
    let world = opened().await;
    let (acme, beta) = (World::slug("acme"), World::slug("beta"));
    assert!(world.is_due(&acme).await && !world.is_due(&beta).await);
    let lease = world.leased(&acme, token(1)).await;
    assert_eq!(lease.open_attempts.iter().map(|open| open.queued.id).collect::<Vec<_>>(), [id(3)]);
    assert!(world.starts(&acme, token(1), id(1), 1).await);
    world.ends(&acme, id(1), 1, sent()).await;
    assert_eq!(world.state(&acme, id(1)).await, MessageState::Sent);
    let retried = world.store.retry(&acme, &id(6), again(at(200_000), false)).await.expect("an answer");
    assert_eq!(retried, Steered::Done);
    let doubtful = world.store.retry(&acme, &id(5), again(at(200_000), false)).await.expect("an answer");
    assert!(matches!(doubtful, Steered::Forbidden { in_doubt: true, .. }), "{doubtful:?}");
    let queue = world.store.queue().await.expect("a queue");
    assert_eq!(queue.messages, 4, "two and the retried of acme, one of beta");
}
