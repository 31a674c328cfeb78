//! Lease: one holder by a random token, what the lane was left with, and the order of its messages.

use postrider_domain::{AttemptNumber, Priority, Resolution};

use super::{World, at, doubt, held_by, hold, seconds, sent, token};
use crate::NewMessage;

pub async fn a_lane_has_one_holder(world: &World) {
    let acme = world.reseller("acme").await;
    world.accepted(&acme).await;
    let asking = (1..=32).map(|number| {
        let (store, acme) = (world.store.clone(), acme.clone());
        tokio::spawn(async move { store.lease(&acme, token(number), seconds(10)).await })
    });
    let mut holders = 0;
    for asked in asking.collect::<Vec<_>>() {
        holders += u32::from(asked.await.expect("joined").expect("an answer").is_some());
    }
    assert_eq!(holders, 1);
    assert!(!world.is_due(&acme).await);
}

pub async fn a_lease_that_ran_out_may_be_taken(world: &World) {
    let acme = world.reseller("acme").await;
    world.accepted(&acme).await;
    world.leased(&acme, token(1)).await;
    world.advance(9);
    assert!(world.lease(&acme, token(2)).await.is_none());
    assert!(world.store.renew(&acme, token(1), seconds(6)).await.expect("an answer").is_some());
    world.advance(2);
    assert!(world.lease(&acme, token(2)).await.is_none());
    world.advance(4);
    assert!(world.is_due(&acme).await);
    world.leased(&acme, token(2)).await;
}

pub async fn a_lane_that_is_not_due_is_not_leased(world: &World) {
    let acme = world.reseller("acme").await;
    assert!(world.lease(&acme, token(1)).await.is_none());
    world.accepts(NewMessage { send_time: Some(at(5)), ..world.mail(&acme) }).await;
    assert!(world.lease(&acme, token(1)).await.is_none());
    world.advance(5);
    world.leased(&acme, token(1)).await;
    assert!(world.lease(&World::slug("nobody"), token(1)).await.is_none());
}

pub async fn an_old_token_changes_nothing(world: &World) {
    let acme = world.reseller("acme").await;
    let short = NewMessage { expire_time: at(11), ..world.mail(&acme) };
    let id = world.accepts(short).await.id;
    world.leased(&acme, token(1)).await;
    world.advance(11);
    world.leased(&acme, token(2)).await;
    assert!(world.store.renew(&acme, token(1), seconds(88)).await.expect("an answer").is_none());
    assert!(!world.starts(&acme, token(1), id, 1).await);
    assert!(world.store.expire(&acme, token(1)).await.expect("an answer").is_empty());
    let refused = world.end(id, 1, held_by(hold(30)));
    let start = world.attempt(id, 1);
    assert!(!world.store.refuse_attempt(&acme, token(1), start, refused).await.expect("an answer"));
    world.release(&acme, token(1)).await;
    assert!(
        world.store.renew(&acme, token(2), seconds(88)).await.expect("an answer").is_some(),
        "still held"
    );
    assert!(world.message(&acme, id).await.attempts.is_empty());
}

pub async fn due_lanes_come_the_longest_due_first(world: &World) {
    let (acme, beta, gamma) =
        (world.reseller("acme").await, world.reseller("beta").await, world.reseller("gamma").await);
    world.accepts(NewMessage { send_time: Some(at(3)), ..world.mail(&acme) }).await;
    world.accepts(NewMessage { send_time: Some(at(1)), ..world.mail(&beta) }).await;
    world.accepts(NewMessage { send_time: Some(at(2)), ..world.mail(&gamma) }).await;
    let due = |now, limit| async move {
        let lanes = world.store.due_lanes(now, limit, &[]).await.expect("due lanes");
        lanes.iter().map(|lane| lane.reseller.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(due(at(3), 10).await, ["beta", "gamma", "acme"]);
    assert_eq!(due(at(2), 10).await, ["beta", "gamma"]);
    assert_eq!(due(at(3), 1).await, ["beta"]);
    world.advance(3);
    world.leased(&beta, token(1)).await;
    assert_eq!(due(at(3), 10).await, ["gamma", "acme"]);
}

pub async fn the_next_due_time_is_a_lanes_or_the_end_of_a_lease(world: &World) {
    let (acme, beta) = (world.reseller("acme").await, world.reseller("beta").await);
    world.accepted(&acme).await;
    world.accepts(NewMessage { send_time: Some(at(40)), ..world.mail(&beta) }).await;
    world.leased(&acme, token(1)).await;
    assert_eq!(world.next_due().await, Some(at(10)));
    world.store.renew(&acme, token(1), seconds(50)).await.expect("renewed");
    assert_eq!(world.next_due().await, Some(at(40)));
}

/// When the calls of the last minute began, at the latest.
fn times(lease: &postrider_domain::Lease) -> Vec<jiff::Timestamp> {
    lease.recent_calls.iter().map(|call| call.time).collect()
}

pub async fn a_lease_tells_the_starts_of_the_last_minute(world: &World) {
    let acme = world.reseller("acme").await;
    let again = || doubt(Resolution::Again { at: at(0), counts: true });
    let id = world.accepted(&acme).await;
    world.tries(&acme, id, 1, again()).await;
    world.advance(30);
    world.tries(&acme, id, 2, again()).await;
    // A minute, and the way to Microsoft.
    world.advance(31);
    assert_eq!(times(&world.leased(&acme, token(1)).await), [at(30)]);
    let (start, end) = (world.attempt(id, 3), world.end(id, 3, again()));
    assert!(world.store.refuse_attempt(&acme, token(1), start, end).await.expect("refused"));
    world.release(&acme, token(1)).await;
    let lease = world.leased(&acme, token(2)).await;
    assert_eq!(times(&lease), [at(30)], "an attempt that never left is no start");
}

pub async fn a_lease_tells_the_open_attempts_of_an_earlier_holder(world: &World) {
    let acme = world.reseller("acme").await;
    let (lost, other) = (world.accepted(&acme).await, world.accepted(&acme).await);
    world.leased(&acme, token(1)).await;
    assert!(world.starts(&acme, token(1), lost, 1).await);
    world.advance(10);
    let lease = world.leased(&acme, token(2)).await;
    let [open] = lease.open_attempts.as_slice() else { panic!("one: {:?}", lease.open_attempts) };
    assert_eq!((open.queued.id, open.number, open.call_deadline), (lost, AttemptNumber(1), at(60)));
    let queued = world.store.next_queued(&acme, world.now(), 10, u32::MAX).await.expect("queued");
    assert_eq!(queued.iter().map(|queued| queued.id).collect::<Vec<_>>(), [other], "the others go on");
}

pub async fn a_lease_tells_the_resellers_own_pace(world: &World) {
    let acme = world.reseller("acme").await;
    world.accepted(&acme).await;
    let lease = world.leased(&acme, token(1)).await;
    assert_eq!(lease.pace, world.settings(&acme).await.values.pace);
    assert_eq!(lease.pace.messages_per_minute, Some(7));
    assert_eq!((lease.lane.mailbox, lease.hold), (World::mailbox("sales"), None));
}

pub async fn a_lease_is_read_again_as_it_would_be_given_now(world: &World) {
    let acme = world.reseller("acme").await;
    let (lost, own) = (world.accepted(&acme).await, world.accepted(&acme).await);
    world.leased(&acme, token(1)).await;
    assert!(world.starts(&acme, token(1), lost, 1).await);
    world.advance(10);
    let given = world.leased(&acme, token(2)).await;
    let reread = || world.store.reread(&acme, token(2));
    let again = reread().await.expect("an answer").expect("held");
    assert_eq!(format!("{again:?}"), format!("{given:?}"));
    assert!(world.starts(&acme, token(2), own, 1).await);
    let again = reread().await.expect("an answer").expect("held");
    assert_eq!(times(&again), [at(10), at(10)]);
    assert_eq!(again.open_attempts, given.open_attempts, "its own are no news to it");
    world.ends(&acme, lost, 1, sent()).await;
    world.ends(&acme, own, 1, held_by(hold(600))).await;
    world.advance(55);
    let again = reread().await.expect("an answer").expect("held");
    assert_eq!((times(&again), again.open_attempts), (vec![at(10), at(10)], vec![]));
    assert_eq!(again.hold, Some(hold(600)));
    let mut new = world.new_settings(&acme);
    new.values.mailbox = World::mailbox("office");
    new.values.pace.messages_per_minute = Some(3);
    world.put(new).await;
    let again = reread().await.expect("an answer").expect("held");
    assert_eq!((&again.lane.mailbox, again.pace.messages_per_minute), (&World::mailbox("office"), Some(3)));
    assert_eq!((times(&again), again.hold), (vec![], None), "another mailbox, another pace");
}

pub async fn a_lost_lease_is_not_read_again(world: &World) {
    let acme = world.reseller("acme").await;
    world.accepted(&acme).await;
    let reread = |holder| world.store.reread(&acme, holder);
    assert!(reread(token(1)).await.expect("an answer").is_none(), "nobody holds it");
    world.leased(&acme, token(1)).await;
    assert!(reread(token(1)).await.expect("an answer").is_some());
    world.advance(10);
    world.leased(&acme, token(2)).await;
    assert!(reread(token(1)).await.expect("an answer").is_none(), "another holds it");
    world.release(&acme, token(2)).await;
    assert!(reread(token(2)).await.expect("an answer").is_none(), "it was given back");
    world.leased(&acme, token(3)).await;
    world.store.delete_settings(&acme, None, true, world.now()).await.expect("deleted");
    assert!(reread(token(3)).await.expect("an answer").is_none(), "it was deleted");
}

pub async fn the_end_of_a_lease_counts_only_where_there_is_work(world: &World) {
    let (acme, beta) = (world.reseller("acme").await, world.reseller("beta").await);
    let id = world.accepted(&acme).await;
    world.leased(&acme, token(1)).await;
    assert!(world.starts(&acme, token(1), id, 1).await);
    world.ends(&acme, id, 1, sent()).await;
    world.put(world.new_settings(&acme)).await;
    assert_eq!(world.next_due().await, None, "the holder died, and left nothing to do");
    let later = NewMessage { send_time: Some(at(40)), ..world.mail(&acme) };
    world.accepts(later).await;
    assert_eq!(world.next_due().await, Some(at(40)), "not before its work");
    world.accepts(NewMessage { send_time: Some(at(50)), ..world.mail(&beta) }).await;
    world.advance(40);
    assert!(world.is_due(&acme).await);
}

pub async fn messages_come_by_priority_then_due_time_then_id(world: &World) {
    let acme = world.reseller("acme").await;
    let of = |priority, send: i64| NewMessage { priority, send_time: Some(at(send)), ..world.mail(&acme) };
    let bulk = world.accepts(of(Priority::Bulk, 0)).await.id;
    let late = world.accepts(of(Priority::Normal, 2)).await.id;
    let early = world.accepts(of(Priority::Normal, 1)).await.id;
    let twin = world.accepts(of(Priority::Normal, 1)).await.id;
    let urgent = world.accepts(of(Priority::Urgent, 3)).await.id;
    world.accepts(of(Priority::Urgent, 9)).await;
    let queued = world.store.next_queued(&acme, at(3), 10, u32::MAX).await.expect("queued");
    let order: Vec<_> = queued.iter().map(|queued| queued.id).collect();
    assert_eq!(order, [urgent, early, twin, late, bulk]);
    let first = world.store.next_queued(&acme, at(3), 1, u32::MAX).await.expect("queued");
    let order: Vec<_> = first.iter().map(|queued| queued.id).collect();
    assert_eq!(order, [urgent, early, bulk], "so many of each priority");
}

pub async fn a_held_lane_still_tells_what_to_probe_with(world: &World) {
    let (acme, probe) = world.held_lane("acme", 30).await;
    world.accepted(&acme).await;
    world.advance(30);
    let lease = world.leased(&acme, token(1)).await;
    assert_eq!(lease.hold, Some(hold(30)));
    let queued = world.store.next_queued(&acme, world.now(), 10, u32::MAX).await.expect("queued");
    assert_eq!(
        queued.iter().map(|queued| queued.id).next(),
        Some(probe),
        "the one that was tried goes first"
    );
    assert_eq!(queued.len(), 2);
    world.release(&acme, token(1)).await;
    world.tries(&acme, probe, 2, sent()).await;
    assert!(world.is_due(&acme).await);
}

pub async fn a_lease_tells_the_recipients_of_the_last_day(world: &World) {
    let acme = world.reseller("acme").await;
    let to = |recipient_count| NewMessage { recipient_count, ..world.mail(&acme) };
    let first = world.accepts(to(7)).await.id;
    world.tries(&acme, first, 1, sent()).await;
    world.advance(3_600);
    let (second, refused) = (world.accepts(to(5)).await.id, world.accepts(to(3)).await.id);
    world.tries(&acme, second, 1, sent()).await;
    world.tries(&acme, refused, 1, super::record::rejected()).await;
    world.accepted(&acme).await;
    let counts = |lease: &postrider_domain::Lease| {
        lease.recent_recipients.iter().map(|hour| (hour.start, hour.recipients)).collect::<Vec<_>>()
    };
    let lease = world.leased(&acme, token(1)).await;
    assert_eq!(counts(&lease), [(at(0), 7), (at(3_600), 5)], "what was not taken does not count");
    world.release(&acme, token(1)).await;
    world.advance(24 * 3_600);
    assert_eq!(counts(&world.leased(&acme, token(2)).await), [(at(3_600), 5)]);
}

pub async fn a_lane_that_was_given_back_goes_behind_those_that_wait(world: &World) {
    let (acme, beta) = (world.reseller("acme").await, world.reseller("beta").await);
    world.accepted(&acme).await;
    world.advance(5);
    world.accepted(&beta).await;
    world.advance(5);
    world.leased(&acme, token(1)).await;
    world.release(&acme, token(1)).await;
    let due = world.store.due_lanes(world.now(), 10, &[]).await.expect("due lanes");
    let order: Vec<_> = due.iter().map(|lane| lane.reseller.as_str()).collect();
    assert_eq!(order, ["beta", "acme"], "though acme's mail is older");
}

pub async fn lanes_of_a_cloud_can_be_passed_over(world: &World) {
    let acme = world.reseller("acme").await;
    let mut china = world.new_settings(&World::slug("beta"));
    china.values.cloud = postrider_domain::Cloud::China;
    let beta = world.put(china).await.reseller;
    world.accepted(&acme).await;
    world.accepts(NewMessage { send_time: Some(at(40)), ..world.mail(&beta) }).await;
    let but_global = [postrider_domain::Cloud::Global];
    let due = world.store.due_lanes(at(50), 10, &but_global).await.expect("due lanes");
    assert_eq!(due.iter().map(|lane| &lane.reseller).collect::<Vec<_>>(), [&beta]);
    assert_eq!(world.store.next_due(&but_global).await.expect("an answer"), Some(at(40)));
}
