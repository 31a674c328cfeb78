//! Mails of `TestSettings`: a history and a share of the pace like any other, and no lane.

use std::time::Duration;

use postrider_domain::{
    AttemptStart, EmailAddress, Finding, FindingCode, InDoubtPolicy, Message, MessageId, MessageState,
    Outcome, PaceLimits, ResellerId, Resolution, SettingsState, Verdict,
};

use super::{World, at, doubt, held_by, hold, sent, token};
use crate::{Accepted, ContentHash, Refused, TestMail};

const LIMITS: PaceLimits = PaceLimits { concurrency: 4, messages_per_minute: 30, recipients_per_day: 0 };

/// A test mail that is being sent.
async fn tested(world: &World, reseller: &ResellerId, mailbox: EmailAddress) -> MessageId {
    let message = world.mail(reseller);
    let (id, start) = (message.id, world.attempt(message.id, 1));
    let answer = world
        .store
        .accept_test(TestMail { message, mailbox, limits: LIMITS, start })
        .await
        .expect("accepted");
    assert!(matches!(answer, Accepted::New(_)), "{answer:?}");
    id
}

/// A test mail of a request, ready to be accepted now.
fn of_request(world: &World, reseller: &ResellerId, request_id: &str) -> TestMail {
    let message = world.mail_of_request(reseller, request_id);
    TestMail {
        start: world.attempt(message.id, 1),
        mailbox: World::mailbox("sales"),
        limits: LIMITS,
        message,
    }
}

async fn replayed(world: &World, test: TestMail) -> Message {
    match world.store.accept_test(test).await.expect("an answer") {
        Accepted::Replayed(first) => *first,
        other => panic!("not replayed: {other:?}"),
    }
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

pub async fn the_same_test_is_one_mail_as_it_is_now(world: &World) {
    let nobody = World::slug("nobody");
    let first = match world.store.accept_test(of_request(world, &nobody, "test-1")).await.expect("an answer")
    {
        Accepted::New(first) => *first,
        other => panic!("not new: {other:?}"),
    };
    assert_eq!((first.state, first.attempts.len()), (MessageState::Sending, 1));
    assert_eq!(first, world.message(&nobody, first.id).await);
    assert_eq!(replayed(world, of_request(world, &nobody, "test-1")).await, first);
    world.ends(&nobody, first.id, 1, sent()).await;
    let again = replayed(world, of_request(world, &nobody, "test-1")).await;
    assert_eq!((again.id, again.state), (first.id, MessageState::Sent));
    assert_eq!(world.all(&nobody).await.len(), 1);
}

pub async fn a_request_id_of_another_content_is_refused_to_a_test(world: &World) {
    let acme = world.reseller("acme").await;
    world.accepts(world.mail_of_request(&acme, "order-1")).await;
    let mut other = of_request(world, &acme, "order-1");
    other.message.content_hash = ContentHash([2; 32]);
    let answer = world.store.accept_test(other).await.expect("an answer");
    assert!(matches!(answer, Accepted::Refused(Refused::RequestIdReused)), "{answer:?}");
    assert_eq!(world.all(&acme).await.len(), 1);
}

pub async fn concurrent_twins_of_a_test_are_one_mail(world: &World) {
    let acme = world.reseller("acme").await;
    let twins = (0..64).map(|_| {
        let (store, test) = (world.store.clone(), of_request(world, &acme, "test-1"));
        tokio::spawn(async move { store.accept_test(test).await })
    });
    let mut new = 0;
    for twin in twins.collect::<Vec<_>>() {
        match twin.await.expect("joined").expect("an answer") {
            Accepted::New(_) => new += 1,
            Accepted::Replayed(_) => {}
            other @ Accepted::Refused(_) => panic!("neither new nor replayed: {other:?}"),
        }
    }
    assert_eq!((new, world.all(&acme).await.len()), (1, 1));
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
    assert_eq!(world.leased(&acme, token(1)).await.recent_calls.len(), 1);
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

pub async fn a_test_mail_waits_for_what_binds_its_mailbox_on_any_replica(world: &World) {
    let acme = world.reseller("acme").await;
    let is_busy = async |mailbox: &str| {
        let message = world.mail(&acme);
        let (start, mailbox) = (world.attempt(message.id, 1), World::mailbox(mailbox));
        let test = TestMail { message, mailbox, limits: LIMITS, start };
        let answer = world.store.accept_test(test).await.expect("an answer");
        matches!(answer, Accepted::Refused(Refused::MailboxBusy))
    };
    let mut tests = Vec::new();
    for _ in 0..4 {
        tests.push(tested(world, &acme, World::mailbox("sales")).await);
    }
    assert!(is_busy("sales").await, "four are in flight");
    let id = world.accepted(&acme).await;
    let lease = world.leased(&acme, token(1)).await;
    assert_eq!(lease.open_attempts.len(), 4, "the lane's holder counts them");
    let begins = async |heard| {
        let start = AttemptStart { heard: Some(heard), ..world.attempt(id, 1) };
        world.store.start_attempt(&acme, token(1), start).await.expect("an answer")
    };
    for test in &tests[..3] {
        world.ends(&acme, *test, 1, sent()).await;
    }
    assert!(!begins(lease.signal).await, "it has not heard of their end");
    let reread = world.store.reread(&acme, token(1)).await.expect("an answer").expect("a lease");
    assert_eq!(reread.open_attempts.len(), 1);
    let throttled = Verdict::of(Outcome::Deferred, Finding::new(FindingCode::Throttled));
    let asked = Verdict { retry_after: Some(Duration::from_mins(1)), ..throttled };
    world.ends(&acme, tests[3], 1, (asked, Resolution::End(MessageState::Failed))).await;
    assert!(is_busy("sales").await, "Microsoft asked one of them to wait");
    let reread = world.store.reread(&acme, token(1)).await.expect("an answer").expect("a lease");
    assert!(begins(reread.signal).await, "whoever has read it all may begin");
    world.store.release(&acme, token(1), None).await.expect("released");
    assert!(!world.is_due(&acme).await, "and so does the lane");
    assert!(!is_busy("other").await, "another mailbox has a pace of its own");
}
