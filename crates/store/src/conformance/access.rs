//! Callers' keys.

use super::{World, at};
use crate::{AccessKey, KeyHash, KeyId, Scope};

fn key(id: &str, second: i64) -> AccessKey {
    AccessKey {
        id: KeyId::of_text(id),
        name: format!("key {id}"),
        hash: KeyHash([3; 32]),
        scopes: vec![Scope::Send, Scope::Read],
        resellers: vec![World::slug("acme")],
        create_time: at(second),
        expire_time: Some(at(1_000)),
        last_use_time: None,
        revoke_time: None,
    }
}

async fn found(world: &World, id: &str) -> AccessKey {
    world.store.find_key(&KeyId::of_text(id)).await.expect("an answer").expect("there")
}

pub async fn a_key_reads_back_as_it_was_created(world: &World) {
    let admin = AccessKey { scopes: vec![Scope::Admin], resellers: vec![], expire_time: None, ..key("b", 0) };
    world.store.create_key(key("a", 1)).await.expect("created");
    world.store.create_key(admin.clone()).await.expect("created");
    assert_eq!(found(world, "a").await, key("a", 1));
    assert_eq!(world.store.list_keys().await.expect("keys"), [admin, key("a", 1)], "oldest first");
    assert_eq!(world.store.find_key(&KeyId::of_text("c")).await.expect("an answer"), None);
    assert!(world.store.create_key(key("a", 2)).await.is_err(), "an id is given once");
}

pub async fn a_revoked_key_stays_revoked_since_the_first_time(world: &World) {
    world.store.create_key(key("a", 0)).await.expect("created");
    let id = KeyId::of_text("a");
    assert!(world.store.revoke_key(&id, at(5)).await.expect("an answer"));
    assert!(world.store.revoke_key(&id, at(9)).await.expect("an answer"));
    assert_eq!(found(world, "a").await.revoke_time, Some(at(5)));
    assert!(!world.store.revoke_key(&KeyId::of_text("b"), at(5)).await.expect("an answer"));
}

pub async fn use_is_noted_to_the_minute(world: &World) {
    world.store.create_key(key("a", 0)).await.expect("created");
    let id = KeyId::of_text("a");
    for (second, noted) in [(61, 60), (119, 60), (125, 120), (61, 120)] {
        world.store.touch_key(&id, at(second)).await.expect("touched");
        assert_eq!(found(world, "a").await.last_use_time, Some(at(noted)), "after {second}");
    }
    world.store.touch_key(&KeyId::of_text("b"), at(1)).await.expect("no such key is no error");
}

pub async fn a_store_remembers_that_it_held_a_key(world: &World) {
    assert!(!world.store.has_held_a_key().await.expect("an answer"));
    world.store.create_key(key("a", 0)).await.expect("created");
    world.store.revoke_key(&KeyId::of_text("a"), at(5)).await.expect("revoked");
    assert!(world.store.has_held_a_key().await.expect("an answer"));
}
