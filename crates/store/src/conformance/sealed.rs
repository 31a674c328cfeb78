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

pub async fn versions_put_before_are_pruned_but_one(world: &World) {
    let (acme, beta) = (World::slug("acme"), World::slug("beta"));
    for version in ["v1", "v2"] {
        world.store.put_sealed(&acme, record(version, 1)).await.expect("put");
        world.store.put_sealed(&beta, record(version, 1)).await.expect("put");
    }
    let is_there = |reseller, version| async move {
        world.store.get_sealed(reseller, version).await.expect("read").is_some()
    };
    world.store.prune_sealed(&acme, None, at(1)).await.expect("pruned");
    assert!(is_there(&acme, "v1").await && is_there(&acme, "v2").await, "what is younger stays");
    world.store.prune_sealed(&acme, Some("v2"), at(2)).await.expect("pruned");
    assert!(!is_there(&acme, "v1").await && is_there(&acme, "v2").await);
    world.store.prune_sealed(&acme, None, at(2)).await.expect("pruned");
    assert!(!is_there(&acme, "v2").await);
    assert!(is_there(&beta, "v1").await && is_there(&beta, "v2").await);
}

pub async fn a_database_belongs_to_the_first_key_that_seals_in_it(world: &World) {
    assert!(world.store.bind_key("one").await.expect("an answer"));
    assert!(world.store.bind_key("one").await.expect("an answer"), "again, at the next start");
    assert!(!world.store.bind_key("other").await.expect("an answer"));
    assert!(world.store.bind_key("one").await.expect("an answer"));
}

pub async fn records_are_listed_by_reseller_and_version(world: &World) {
    let (acme, beta) = (World::slug("acme"), World::slug("beta"));
    for (reseller, version) in [(&beta, "v1"), (&acme, "v2"), (&acme, "v1")] {
        world.store.put_sealed(reseller, record(version, 1)).await.expect("put");
    }
    let listed = |after| async move {
        let listed = world.store.list_sealed(after, 2).await.expect("an answer");
        let names = listed.iter().map(|(reseller, record)| format!("{reseller} {}", record.version));
        names.collect::<Vec<_>>().join(", ")
    };
    assert_eq!(listed(None).await, "acme v1, acme v2");
    assert_eq!(listed(Some((&acme, "v1"))).await, "acme v2, beta v1");
    assert_eq!(listed(Some((&beta, "v1"))).await, "");
}

pub async fn a_record_is_replaced_only_while_it_is_as_it_was(world: &World) {
    let acme = World::slug("acme");
    world.store.put_sealed(&acme, record("v1", 1)).await.expect("put");
    let replace = |version, until_now: u8| async move {
        let acme = World::slug("acme");
        world.store.replace_sealed(&acme, version, &[until_now; 40], &[3; 50]).await.expect("an answer")
    };
    assert!(!replace("v1", 2).await && !replace("v2", 1).await);
    assert!(replace("v1", 1).await && !replace("v1", 1).await);
    let now = world.store.get_sealed(&acme, "v1").await.expect("an answer").expect("a record");
    assert_eq!((now.ciphertext, now.create_time), (vec![3; 50], at(1)));
}

pub async fn a_key_ring_is_swapped_only_while_it_is_as_it_was(world: &World) {
    let swap = |until_now, ring| world.store.swap_key_ring(until_now, ring);
    assert_eq!(world.store.key_ring().await.expect("an answer"), None);
    assert!(!swap(Some("a"), "b").await.expect("an answer"));
    assert!(swap(None, "a").await.expect("an answer"));
    assert!(!swap(None, "b").await.expect("an answer"));
    assert!(swap(Some("a"), "b").await.expect("an answer"));
    assert_eq!(world.store.key_ring().await.expect("an answer").as_deref(), Some("b"));
}
