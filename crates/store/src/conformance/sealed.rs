//! Ciphertext of the sealed credential store.

use super::{World, at};
use crate::SealedRecord;

fn record(version: &str, byte: u8) -> SealedRecord {
    SealedRecord { version: version.to_owned(), ciphertext: vec![byte; 40], create_time: at(1) }
}

pub async fn ciphertext_is_found_by_reseller_and_version_only(world: &World) {
    let (acme, beta) = (World::slug("acme"), World::slug("beta"));
    world.store.put_sealed(&acme, record("v1", 1)).await.expect("put");
    world.store.put_sealed(&beta, record("v1", 2)).await.expect("put");
    let got = |reseller, version| world.store.get_sealed(reseller, version);
    assert_eq!(got(&acme, "v1").await.expect("an answer"), Some(record("v1", 1)));
    assert_eq!(got(&beta, "v1").await.expect("an answer"), Some(record("v1", 2)));
    assert_eq!(got(&acme, "v2").await.expect("an answer"), None);
}

pub async fn all_versions_but_one_are_pruned(world: &World) {
    let (acme, beta) = (World::slug("acme"), World::slug("beta"));
    for version in ["v1", "v2"] {
        world.store.put_sealed(&acme, record(version, 1)).await.expect("put");
        world.store.put_sealed(&beta, record(version, 1)).await.expect("put");
    }
    let is_there = |reseller, version| async move {
        world.store.get_sealed(reseller, version).await.expect("read").is_some()
    };
    world.store.prune_sealed(&acme, Some("v2")).await.expect("pruned");
    assert!(!is_there(&acme, "v1").await && is_there(&acme, "v2").await);
    world.store.prune_sealed(&acme, None).await.expect("pruned");
    assert!(!is_there(&acme, "v2").await);
    assert!(is_there(&beta, "v1").await && is_there(&beta, "v2").await);
}

pub async fn a_database_belongs_to_the_first_key_that_seals_in_it(world: &World) {
    assert!(world.store.bind_key("one").await.expect("an answer"));
    assert!(world.store.bind_key("one").await.expect("an answer"), "again, at the next start");
    assert!(!world.store.bind_key("other").await.expect("an answer"));
    assert!(world.store.bind_key("one").await.expect("an answer"));
}
