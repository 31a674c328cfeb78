//! Mails of `TestSettings`: a history and a share of the pace like any other, and no lane.

use postrider_domain::{
    EmailAddress, Finding, FindingCode, InDoubtPolicy, MessageId, MessageState, Outcome, ResellerId,
    Resolution, SettingsState, Verdict,
};

use super::{World, at, doubt, held_by, hold, sent, token};
use crate::{Accepted, TestMail};

/// A test mail that is being sent.
async fn tested(world: &World, reseller: &ResellerId, mailbox: EmailAddress) -> MessageId {
    let message = world.mail(reseller);
    let (id, start) = (message.id, world.attempt(message.id, 1));
    world.store.accept_test(TestMail { message, mailbox, start }).await.expect("accepted");
    id
}

pub async fn no_lane_touches_a_test_mail(world: &World) {
    let acme = world.reseller("acme").await;
    let id = tested(world, &acme, World::mailbox("sales")).await;
    assert!(!world.is_due(&acme).await);
    world.accepted(&acme).await;
    world.leased(&acme, token(1)).await;
    assert_eq!(world.store.next_queued(&acme, at(0), 10).await.expect("queued").len(), 1);
    assert!(!world.starts(&acme, token(1), id, 2).await);
    world.ends(&acme, id, 1, sent()).await;
    let message = world.message(&acme, id).await;
    assert_eq!((message.state, message.attempts.len()), (MessageState::Sent, 1));
    assert_eq!(
        world.settings(&acme).await.status.state,
        SettingsState::Untested,
        "the tester says so, not the mail"
    );
}

pub async fn a_test_mail_needs_no_settings(world: &World) {
    let nobody = World::slug("nobody");
    let id = tested(world, &nobody, World::mailbox("sales")).await;
    assert_eq!(world.state(&nobody, id).await, MessageState::Sending);
    assert!(world.has_content(&nobody, id).await);
    world.ends(&nobody, id, 1, sent()).await;
    assert_eq!(world.state(&nobody, id).await, MessageState::Sent);
    assert!(!world.has_content(&nobody, id).await);
}

pub async fn a_test_mail_counts_in_the_pace_of_its_mailbox(world: &World) {
    let acme = world.reseller("acme").await;
    let own = tested(world, &acme, World::mailbox("sales")).await;
    world.advance(1);
    let candidate = tested(world, &acme, World::mailbox("other")).await;
    for id in [own, candidate] {
        world.ends(&acme, id, 1, sent()).await;
    }
    world.accepted(&acme).await;
    assert_eq!(world.leased(&acme, token(1)).await.recent_starts, [at(0)]);
}

pub async fn an_abandoned_test_mail_is_left_to_the_lane_after_its_deadline(world: &World) {
    let acme = world.reseller("acme").await;
    let id = tested(world, &acme, World::mailbox("sales")).await;
    assert_eq!(world.next_due().await, Some(at(60)));
    world.advance(60);
    let lease = world.leased(&acme, token(1)).await;
    let [open] = lease.open_attempts.as_slice() else { panic!("one: {:?}", lease.open_attempts) };
    assert_eq!((open.queued.id, open.queued.policy), (id, InDoubtPolicy::AtMostOnce));
    world.ends(&acme, id, 1, doubt(Resolution::End(MessageState::OutcomeUnknown))).await;
    assert_eq!(world.state(&acme, id).await, MessageState::OutcomeUnknown);
    assert_eq!(world.release(&acme, token(1)).await, None);
}

pub async fn a_failed_test_mail_is_not_tried_again_and_holds_nothing(world: &World) {
    let acme = world.reseller("acme").await;
    let outage = Verdict::of(Outcome::Deferred, Finding::new(FindingCode::Throttled));
    let tries = [
        (held_by(hold(30)), MessageState::Failed),
        ((outage, Resolution::LaneWaits { until: at(99) }), MessageState::Failed),
        (doubt(Resolution::Again { at: at(9), counts: true }), MessageState::OutcomeUnknown),
    ];
    for (outcome, state) in tries {
        let id = tested(world, &acme, World::mailbox("sales")).await;
        world.ends(&acme, id, 1, outcome).await;
        assert_eq!(world.state(&acme, id).await, state);
    }
    assert_eq!(world.settings(&acme).await.status.state, SettingsState::Untested);
    let message = world.accepts(world.mail(&acme)).await;
    assert_eq!((message.state, message.next_attempt_time), (MessageState::Accepted, Some(at(0))));
}
