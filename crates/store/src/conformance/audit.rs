//! Who changed what: told with the change, in chains that show what was done to them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use postrider_domain::{Act, AuditEvent, ChainHash};

use super::{World, again, at};
use crate::{AccessKey, AuditFilter, AuditPlace, Deleted, KeyHash, KeyId, Scope};

fn act(action: &str, resellers: &[&str]) -> Act {
    Act {
        actor: "k1".to_owned(),
        action: action.to_owned(),
        resellers: resellers.iter().map(|name| World::slug(name)).collect(),
        source_address: "192.0.2.7".to_owned(),
        details: BTreeMap::from([("changed".to_owned(), "pace, send_as".to_owned())]),
    }
}

fn all() -> AuditFilter {
    let before = AuditPlace::of_time(Timestamp::MAX);
    AuditFilter { resellers: None, since: Timestamp::MIN, before, limit: 1_000 }
}

async fn listed(world: &World, filter: AuditFilter) -> Vec<AuditEvent> {
    world.store.audit_events(filter).await.expect("events").events
}

fn of<'e>(events: &'e [AuditEvent], chain: &str) -> Vec<&'e AuditEvent> {
    events.iter().rev().filter(|event| event.chain() == chain).collect()
}

/// From its first event on.
fn assert_whole(chain: &[&AuditEvent]) {
    let mut before = None;
    for &event in chain {
        event.check(before).unwrap_or_else(|broken| panic!("{event:?} {broken}"));
        before = Some(event);
    }
}

pub async fn a_change_is_told_with_who_made_it_from_where(world: &World) {
    let acme = World::slug("acme");
    let store = world.store.clone().by(act("PutSettings", &["acme"]));
    store.put_settings(world.new_settings(&acme)).await.expect("put");
    world.advance(5);
    let store = world.store.clone().by(act("PauseSending", &["acme"]));
    assert!(store.pause(&acme, "holidays").await.expect("paused"));
    let events = listed(world, all()).await;
    assert_eq!(
        events.iter().map(|event| event.action.as_str()).collect::<Vec<_>>(),
        ["PauseSending", "PutSettings"]
    );
    let put = &events[1];
    let told = act("PutSettings", &["acme"]);
    assert_eq!((put.number, put.time, put.previous_hash), (1, at(0), ChainHash::START));
    assert_eq!(
        (&put.actor, &put.source_address, &put.details),
        (&told.actor, &told.source_address, &told.details)
    );
    assert_eq!((events[0].number, events[0].time), (2, at(5)));
    assert_whole(&of(&events, "acme"));
}

pub async fn what_changed_nothing_is_not_told(world: &World) {
    let acme = World::slug("acme");
    let store = world.store.clone().by(act("DeleteSettings", &["acme"]));
    let deleted = store.delete_settings(&acme, None, true, world.now()).await.expect("an answer");
    assert_eq!(deleted, Deleted::Missing);
    assert!(!store.pause(&acme, "").await.expect("an answer"));
    assert!(!store.revoke_key(&KeyId::of_text("k9"), at(0)).await.expect("an answer"));
    assert_eq!(listed(world, all()).await, []);
}

pub async fn every_kind_of_change_is_told(world: &World) {
    let acme = world.reseller("acme").await;
    let by = |action: &str| world.store.clone().by(act(action, &["acme"]));
    let key = AccessKey {
        id: KeyId::of_text("k2"),
        name: "shop".to_owned(),
        hash: KeyHash([3; 32]),
        scopes: vec![Scope::Send],
        resellers: vec![acme.clone()],
        create_time: at(0),
        expire_time: None,
        last_use_time: None,
        revoke_time: None,
    };
    by("CreateKey").create_key(key).await.expect("created");
    by("RevokeKey").revoke_key(&KeyId::of_text("k2"), at(1)).await.expect("revoked");
    by("PauseSending").pause(&acme, "").await.expect("paused");
    by("ResumeSending").resume(&acme).await.expect("resumed");
    let retried = world.accepted(&acme).await;
    world.store.cancel(&acme, &retried).await.expect("cancelled");
    by("RetryMessage").retry(&acme, &retried, again(at(1_000), false)).await.expect("retried");
    by("DeleteSettings").delete_settings(&acme, None, true, at(2)).await.expect("deleted");
    let events = listed(world, all()).await;
    let actions: Vec<_> = of(&events, "acme").iter().map(|event| event.action.clone()).collect();
    let expected =
        ["CreateKey", "RevokeKey", "PauseSending", "ResumeSending", "RetryMessage", "DeleteSettings"];
    assert_eq!(actions, expected);
    assert_whole(&of(&events, "acme"));
}

pub async fn a_reseller_has_a_chain_of_its_own_and_nobody_has_one(world: &World) {
    world.store.note(act("CreateKey", &["acme", "beta"])).await.expect("noted");
    world.store.note(act("CreateKey", &[])).await.expect("noted");
    world.store.note(act("CreateKey", &["beta"])).await.expect("noted");
    let events = listed(world, all()).await;
    for (chain, length) in [("acme", 1), ("beta", 2), ("", 1)] {
        let chain = of(&events, chain);
        assert_eq!(chain.len(), length);
        assert_whole(&chain);
    }
    let mine = AuditFilter { resellers: Some(vec![World::slug("beta")]), ..all() };
    assert!(listed(world, mine).await.iter().all(|event| event.chain() == "beta"));
}

pub async fn changes_at_the_same_time_follow_one_another(world: &World) {
    let names = ["acme", "beta", "acme", "gamma", "acme", "beta"];
    let notes = (0..60).map(|number| world.store.note(act("CreateKey", &[names[number % 6]])));
    for noted in futures::future::join_all(notes).await {
        noted.expect("noted");
    }
    let events = listed(world, all()).await;
    for (chain, length) in [("acme", 30), ("beta", 20), ("gamma", 10)] {
        let chain = of(&events, chain);
        assert_eq!(chain.len(), length);
        assert_whole(&chain);
    }
}

pub async fn events_are_listed_from_the_newest_page_by_page(world: &World) {
    for second in 0..7 {
        let name = ["acme", "beta"][second % 2];
        world.store.note(act("CreateKey", &[name])).await.expect("noted");
        world.advance(i64::from(second % 3 == 0));
    }
    let whole = listed(world, all()).await;
    assert!(whole.is_sorted_by(|newer, older| AuditPlace::of(newer) > AuditPlace::of(older)));
    let (mut paged, mut filter) = (Vec::new(), AuditFilter { limit: 2, ..all() });
    loop {
        let page = world.store.audit_events(filter.clone()).await.expect("a page");
        paged.extend(page.events);
        filter.before = AuditPlace::of(paged.last().expect("an event"));
        if !page.more {
            break;
        }
    }
    assert_eq!(paged, whole);
    let since = AuditFilter { since: at(1), before: AuditPlace::of_time(at(2)), ..all() };
    assert!(listed(world, since).await.iter().all(|event| event.time == at(1)));
}

pub async fn a_clock_that_went_back_turns_no_chain_around(world: &World) {
    let acme: &[&str] = &["acme"];
    world.advance(10);
    world.store.note(act("CreateKey", acme)).await.expect("noted");
    world.advance(-8);
    world.store.note(act("RevokeKey", acme)).await.expect("noted");
    let events = listed(world, all()).await;
    assert_eq!(
        events.iter().map(|event| (event.number, event.time)).collect::<Vec<_>>(),
        [(2, at(10)), (1, at(10))]
    );
    assert_whole(&of(&events, "acme"));
}
