//! Census: how much there is of everything.

use postrider_domain::{MessageState, ResellerId};

use super::{World, at, held_by, hold, sent, token};
use crate::{Backlog, FirstExpiry, LaneState, NewMessage};

/// Sorted, since the order is the database's own.
async fn backlog(world: &World, by_reseller: bool) -> Vec<(Option<ResellerId>, MessageState, i64)> {
    let backlog = world.store.backlog(by_reseller).await.expect("a backlog");
    let mut counts: Vec<_> = backlog.into_iter().map(|of| (of.reseller, of.state, of.messages)).collect();
    counts.sort();
    counts
}

pub async fn the_backlog_counts_what_has_not_ended_by_the_state_that_is_seen(world: &World) {
    use MessageState::{Accepted, Held, Scheduled, Sending};
    assert_eq!(backlog(world, false).await, []);
    let (acme, beta) = (world.reseller("acme").await, world.reseller("beta").await);
    let done = world.accepted(&acme).await;
    world.tries(&acme, done, 1, sent()).await;
    let under_way = world.accepted(&acme).await;
    world.accepted(&acme).await;
    world.accepts(NewMessage { send_time: Some(at(100)), ..world.mail(&acme) }).await;
    world.leased(&acme, token(1)).await;
    world.starts(&acme, token(1), under_way, 1).await;
    let tried = world.accepted(&beta).await;
    world.tries(&beta, tried, 1, held_by(hold(600))).await;
    let mut all = vec![(None, Accepted, 1), (None, Scheduled, 1), (None, Sending, 1), (None, Held, 1)];
    all.sort();
    assert_eq!(backlog(world, false).await, all);
    let of = |reseller: &ResellerId, state| (Some(reseller.clone()), state, 1);
    let mut each = [of(&acme, Accepted), of(&acme, Scheduled), of(&acme, Sending), of(&beta, Held)];
    each.sort();
    assert_eq!(backlog(world, true).await, each);
    let scheduled = world.store.backlog(false).await.expect("a backlog");
    let scheduled = scheduled.into_iter().find(|of| of.state == Scheduled);
    assert_eq!(
        scheduled,
        Some(Backlog { reseller: None, state: Scheduled, messages: 1, first_due: at(100) })
    );
}

pub async fn a_lane_is_counted_in_the_state_that_stops_it_longest(world: &World) {
    use LaneState::{Busy, Held, Paused, Ready, Throttled};
    let counted = async || {
        let mut lanes = world.store.lanes().await.expect("lanes");
        lanes.sort();
        lanes
    };
    assert_eq!(counted().await, []);
    let acme = world.reseller("acme").await;
    let busy = world.reseller("busy").await;
    world.held_lane("held", 600).await;
    for reseller in [&acme, &busy] {
        world.accepted(reseller).await;
    }
    world.leased(&acme, token(1)).await;
    world.store.release(&acme, token(1), Some(at(20))).await.expect("released");
    world.leased(&busy, token(2)).await;
    assert_eq!(counted().await, [(Busy, 1), (Throttled, 1), (Held, 1)]);
    world.advance(20);
    assert_eq!(counted().await, [(Ready, 2), (Held, 1)], "the lease ran out too");
    assert!(world.store.pause(&World::slug("held"), "unpaid").await.expect("paused"));
    assert!(counted().await.contains(&(Paused, 1)));
}

pub async fn the_first_credential_to_end_is_told(world: &World) {
    assert_eq!(world.store.first_expiries(false).await.expect("expiries"), []);
    world.reseller("acme").await;
    let mut sooner = world.new_settings(&World::slug("beta"));
    sooner.credential.expire_time = Some(at(500));
    world.put(sooner).await;
    let first = world.store.first_expiries(false).await.expect("expiries");
    assert_eq!(first, [FirstExpiry { reseller: None, time: at(500) }]);
    let each = world.store.first_expiries(true).await.expect("expiries");
    assert_eq!(each.len(), 2);
    assert!(each.contains(&FirstExpiry { reseller: Some(World::slug("acme")), time: at(1_000_000) }));
}
