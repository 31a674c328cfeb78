//! Release and expiry: when a lane is due again, and what ends while it waits.

use postrider_domain::{FindingCode, MessageState, Resolution};

use super::{World, at, doubt, held_by, hold, sent, token};
use crate::NewMessage;

pub async fn an_empty_lane_is_due_when_woken(world: &World) {
    let acme = world.reseller("acme").await;
    let id = world.accepted(&acme).await;
    assert_eq!(world.tries(&acme, id, 1, sent()).await, None);
    assert_eq!(world.next_due().await, None);
}

pub async fn a_lane_is_due_with_its_next_message(world: &World) {
    let acme = world.reseller("acme").await;
    let id = world.accepted(&acme).await;
    let again = doubt(Resolution::Again { at: at(15), counts: true });
    assert_eq!(world.tries(&acme, id, 1, again).await, Some(at(15)));
    assert_eq!(world.next_due().await, Some(at(15)));
}

pub async fn a_held_lane_is_due_with_its_probe(world: &World) {
    let acme = world.reseller("acme").await;
    let id = world.accepted(&acme).await;
    world.accepted(&acme).await;
    assert_eq!(world.tries(&acme, id, 1, held_by(hold(30))).await, Some(at(30)));
}

pub async fn a_held_lane_is_due_for_an_expiry_before_its_probe(world: &World) {
    let acme = world.reseller("acme").await;
    let id = world.accepts(NewMessage { expire_time: at(20), ..world.mail(&acme) }).await.id;
    assert_eq!(world.tries(&acme, id, 1, held_by(hold(30))).await, Some(at(20)));
}

pub async fn a_paced_lane_is_due_after_its_pause(world: &World) {
    let acme = world.reseller("acme").await;
    let id = world.accepted(&acme).await;
    world.leased(&acme, token(1)).await;
    world.store.release(&acme, token(1), Some(at(20))).await.expect("released");
    assert_eq!(world.next_due().await, Some(at(20)));
    assert_eq!(world.message(&acme, id).await.next_attempt_time, Some(at(20)));
    world.accepted(&acme).await;
    assert_eq!(world.next_due().await, Some(at(20)), "new mail does not cut it short");
}

pub async fn a_lane_that_met_a_days_limit_is_looked_at_within_a_minute_for_limits_change(world: &World) {
    let acme = world.reseller("acme").await;
    let id = world.accepted(&acme).await;
    world.leased(&acme, token(1)).await;
    world.store.release(&acme, token(1), Some(at(80_000))).await.expect("released");
    assert_eq!(world.message(&acme, id).await.next_attempt_time, Some(at(80_000)));
    assert_eq!(world.next_due().await, Some(at(60)));
}

pub async fn other_settings_and_a_resumption_free_a_lane_of_its_pace(world: &World) {
    let acme = world.reseller("acme").await;
    world.accepted(&acme).await;
    world.leased(&acme, token(1)).await;
    world.store.release(&acme, token(1), Some(at(50))).await.expect("released");
    world.put(world.new_settings(&acme)).await;
    assert_eq!(world.next_due().await, Some(at(0)));
    world.leased(&acme, token(2)).await;
    world.store.release(&acme, token(2), Some(at(50))).await.expect("released");
    world.store.resume(&acme).await.expect("resumed");
    assert_eq!(world.next_due().await, Some(at(0)));
}

pub async fn an_open_attempt_makes_its_lane_due_at_its_deadline(world: &World) {
    let acme = world.reseller("acme").await;
    let id = world.accepted(&acme).await;
    world.leased(&acme, token(1)).await;
    assert!(world.starts(&acme, token(1), id, 1).await);
    assert_eq!(world.release(&acme, token(1)).await, Some(at(60)));
}

pub async fn messages_end_when_their_time_runs_out(world: &World) {
    let acme = world.reseller("acme").await;
    let short = world.accepts(NewMessage { expire_time: at(5), ..world.mail(&acme) }).await.id;
    let long = world.accepted(&acme).await;
    world.leased(&acme, token(1)).await;
    assert!(world.store.expire(&acme, token(1)).await.expect("an answer").is_empty());
    world.advance(5);
    assert_eq!(world.store.expire(&acme, token(1)).await.expect("expired"), [short]);
    let message = world.message(&acme, short).await;
    assert_eq!((message.state, message.next_attempt_time), (MessageState::Expired, None));
    assert_eq!(message.update_time, at(5));
    assert!(world.has_content(&acme, short).await, "it may be tried again by hand");
    assert_eq!(world.state(&acme, long).await, MessageState::Accepted);
    assert!(!world.starts(&acme, token(1), short, 1).await);
}

pub async fn a_held_message_expires_with_the_finding_of_the_hold(world: &World) {
    let (acme, _) = world.held_lane("acme", 600).await;
    let short = world.accepts(NewMessage { expire_time: at(5), ..world.mail(&acme) }).await.id;
    world.advance(5);
    world.leased(&acme, token(1)).await;
    let message = world.message(&acme, short).await;
    assert_eq!(message.state, MessageState::Expired, "whoever takes the lane ends what is over");
    assert_eq!(message.finding.map(|finding| finding.code), Some(FindingCode::SecretWrong));
}

pub async fn a_message_in_doubt_does_not_expire_but_ends_unknown(world: &World) {
    let acme = world.reseller("acme").await;
    let id = world.accepts(NewMessage { expire_time: at(20), ..world.mail(&acme) }).await.id;
    world.tries(&acme, id, 1, doubt(Resolution::Again { at: at(30), counts: true })).await;
    world.advance(20);
    world.leased(&acme, token(1)).await;
    let message = world.message(&acme, id).await;
    assert_eq!(message.state, MessageState::OutcomeUnknown);
    assert_eq!(message.finding.map(|finding| finding.code), Some(FindingCode::OutcomeUnknown));
}
