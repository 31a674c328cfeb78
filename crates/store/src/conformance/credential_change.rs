//! Changes of credentials that began.

use jiff::Timestamp;
use postrider_domain::{CredentialInfo, CredentialVersion, Fingerprint, ResellerId, SettingsState};
use uuid::Uuid;

use super::{World, at};
use crate::{ChangeId, Deleted, NewSettings, Put};

fn change(n: u128) -> ChangeId {
    ChangeId(Uuid::from_u128(n))
}

async fn ends(world: &World, reseller: &ResellerId, before: Timestamp) {
    world.store.end_changes(reseller, before, Vec::new(), before).await.expect("ended");
}

async fn due(world: &World, before: Timestamp) -> Vec<(String, Timestamp)> {
    let due = world.store.due_changes(before, 10).await.expect("an answer");
    due.into_iter().map(|(reseller, time)| (reseller.to_string(), time)).collect()
}

pub async fn a_change_that_began_is_due_until_it_is_ended(world: &World) {
    let (acme, beta) = (World::slug("acme"), World::slug("beta"));
    world.store.begin_change(&beta, change(1), at(5)).await.expect("begun");
    world.store.begin_change(&acme, change(1), at(7)).await.expect("begun");
    world.store.begin_change(&acme, change(2), at(6)).await.expect("begun");
    assert_eq!(due(world, at(5)).await, []);
    assert_eq!(due(world, at(8)).await, [("beta".to_owned(), at(5)), ("acme".to_owned(), at(6))]);
    ends(world, &acme, at(7)).await;
    assert_eq!(due(world, at(8)).await.len(), 2, "what is not closed does not end");
    world.store.close_changes(&acme, at(7)).await.expect("closed");
    assert_eq!(due(world, at(8)).await, [("beta".to_owned(), at(5)), ("acme".to_owned(), at(6))]);
    ends(world, &acme, at(7)).await;
    assert_eq!(due(world, at(8)).await, [("beta".to_owned(), at(5)), ("acme".to_owned(), at(7))]);
}

const DAY: i64 = 24 * 3_600;

/// What it replaced is kept as long as it promises, whatever began before it.
pub async fn a_change_that_is_due_waits_for_later_ones_of_its_reseller_and_a_day_at_most(world: &World) {
    let (acme, beta) = (World::slug("acme"), World::slug("beta"));
    for (reseller, time) in [(&acme, at(0)), (&beta, at(1)), (&acme, at(18))] {
        world.store.begin_change(reseller, ChangeId(Uuid::new_v4()), time).await.expect("begun");
    }
    assert_eq!(due(world, at(18)).await, [("beta".to_owned(), at(1))]);
    assert_eq!(due(world, at(19)).await, [("acme".to_owned(), at(0)), ("beta".to_owned(), at(1))]);
    world.store.begin_change(&acme, change(9), at(DAY + 9)).await.expect("begun");
    assert_eq!(due(world, at(DAY)).await, [("beta".to_owned(), at(1))]);
    assert_eq!(due(world, at(DAY + 1)).await[0], ("acme".to_owned(), at(0)));
}

pub async fn what_was_replaced_is_named_until_it_is_destroyed_and_waits_while_it_is_out_of_reach(
    world: &World,
) {
    let acme = World::slug("acme");
    let new = |n, version: &str| {
        let new = world.new_settings(&acme);
        let credential = CredentialInfo { version: CredentialVersion::of_store(version), ..new.credential };
        NewSettings { credential, change: Some(change(n)), ..new }
    };
    let closes = |before| {
        let acme = acme.clone();
        async move { world.store.close_changes(&acme, before).await.expect("closed") }
    };
    let names =
        |names: &[&str]| -> Vec<_> { names.iter().map(|name| CredentialVersion::of_store(*name)).collect() };
    world.store.begin_change(&acme, change(1), at(0)).await.expect("begun");
    world.put(new(1, "first")).await;
    assert_eq!(closes(at(1)).await, [], "nothing was replaced");
    world.advance(1);
    world.store.begin_change(&acme, change(2), at(1)).await.expect("begun");
    world.put(new(2, "second")).await;
    world.advance(1);
    let third = new(3, "third").credential;
    let until_now = CredentialVersion::of_store("second");
    assert!(world.store.adopt_credential(&acme, &until_now, &third, true, at(2)).await.expect("an answer"));
    assert_eq!(closes(at(2)).await, names(&["first"]));
    assert_eq!(closes(at(3)).await, names(&["first", "second"]));
    world.store.end_changes(&acme, at(3), names(&["first"]), at(9)).await.expect("ended");
    assert_eq!(due(world, at(9)).await, []);
    let deleted = world.store.delete_settings(&acme, None, true, at(9)).await.expect("an answer");
    assert_eq!(deleted, Deleted::Done);
    assert_eq!(closes(at(10)).await, names(&["first", "third"]));
    ends(world, &acme, at(10)).await;
    assert_eq!((closes(at(11)).await, due(world, at(11)).await), (vec![], vec![]));
}

pub async fn a_closed_change_is_not_committed(world: &World) {
    let acme = World::slug("acme");
    for n in [1, 2] {
        world.store.begin_change(&acme, change(n), at(0)).await.expect("begun");
    }
    world.put(NewSettings { change: Some(change(1)), ..world.new_settings(&acme) }).await;
    world.store.close_changes(&acme, at(1)).await.expect("closed");
    let late = NewSettings { change: Some(change(2)), ..world.new_settings(&acme) };
    assert_eq!(world.store.put_settings(late).await.expect("an answer"), Put::EtagMismatch);
}

pub async fn settings_are_put_only_while_their_change_is_there(world: &World) {
    let acme = World::slug("acme");
    let new = |n| NewSettings { change: Some(change(n)), ..world.new_settings(&acme) };
    assert_eq!(world.store.put_settings(new(1)).await.expect("an answer"), Put::EtagMismatch);
    assert_eq!(world.store.get_settings(&acme).await.expect("an answer"), None);
    world.store.begin_change(&acme, change(1), at(0)).await.expect("begun");
    world.advance(9);
    world.put(new(1)).await;
    assert_eq!(due(world, at(9)).await, [], "what was replaced is due from the commit on");
    assert_eq!(due(world, at(10)).await, [("acme".to_owned(), at(9))]);
}

pub async fn a_deletion_ends_changes_and_leaves_one_of_its_own(world: &World) {
    let acme = world.reseller("acme").await;
    world.store.begin_change(&acme, change(1), at(0)).await.expect("begun");
    world.advance(3);
    let deleted = world.store.delete_settings(&acme, None, true, world.now()).await.expect("an answer");
    assert_eq!(deleted, Deleted::Done);
    let late = NewSettings { change: Some(change(1)), ..world.new_settings(&acme) };
    assert_eq!(world.store.put_settings(late).await.expect("an answer"), Put::EtagMismatch);
    assert_eq!(due(world, at(4)).await, [("acme".to_owned(), at(3))]);
}

pub async fn another_version_is_adopted_unless_the_settings_changed(world: &World) {
    let (acme, _) = world.held_lane("acme", 600).await;
    let before = world.settings(&acme).await;
    let other = CredentialInfo {
        version: CredentialVersion::of_store("v9"),
        fingerprint: Fingerprint::of_store("9999"),
        expire_time: None,
        ..before.credential.clone()
    };
    let adopt = |until_now: &'static str, works| {
        let (acme, other) = (acme.clone(), other.clone());
        async move {
            let until_now = CredentialVersion::of_store(until_now);
            world
                .store
                .adopt_credential(&acme, &until_now, &other, works, world.now())
                .await
                .expect("an answer")
        }
    };
    assert!(!adopt("v0", true).await);
    assert_eq!(world.settings(&acme).await, before);
    assert!(adopt("v1", false).await);
    let moved = world.settings(&acme).await;
    assert_eq!(
        (&moved.credential, &moved.status),
        (&other, &before.status),
        "only seen to work it frees the lane"
    );
    assert!(adopt("v9", true).await);
    let after = world.settings(&acme).await;
    assert_eq!((&after.credential, &after.values), (&other, &before.values));
    assert_ne!(after.status.state, SettingsState::Paused);
    assert!(world.is_due(&acme).await, "the lane is free again");
    let next = world.put(world.new_settings(&acme)).await;
    assert!(next.etag != after.etag && after.etag != before.etag, "no etag comes twice");
}
