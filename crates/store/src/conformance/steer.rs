//! Steer: cancel, retry, pause and resume; and what a doubt forbids.

use postrider_domain::{
    AttemptNumber, EmailAddress, Finding, FindingCode, MessageState, Outcome, Resolution, SettingsState,
    Verdict,
};

use super::{World, again, at, doubt, held_by, hold, sent, token};
use crate::{NewMessage, QueueBounds, Retry, Steered};

async fn cancelled(world: &World, reseller: &postrider_domain::ResellerId) -> postrider_domain::MessageId {
    let id = world.accepted(reseller).await;
    assert_eq!(world.store.cancel(reseller, &id).await.expect("an answer"), Steered::Done);
    id
}

pub async fn what_waits_is_cancelled_and_stays_so(world: &World) {
    let acme = world.reseller("acme").await;
    let later = NewMessage { send_time: Some(at(50)), ..world.mail(&acme) };
    let (waiting, scheduled) = (world.accepted(&acme).await, world.accepts(later).await.id);
    let cancels = [(waiting, Steered::Done), (scheduled, Steered::Done), (waiting, Steered::AlreadySo)];
    for (id, answer) in cancels {
        assert_eq!(world.store.cancel(&acme, &id).await.expect("an answer"), answer);
        assert_eq!(world.state(&acme, id).await, MessageState::Cancelled);
    }
    world.leased(&acme, token(1)).await;
    assert!(!world.starts(&acme, token(1), waiting, 1).await, "nothing of it leaves");
    assert_eq!(world.store.queue().await.expect("an answer").messages, 0);
}

pub async fn what_is_on_its_way_or_in_doubt_is_not_cancelled(world: &World) {
    let acme = world.reseller("acme").await;
    let (flying, doubted) = (world.accepted(&acme).await, world.accepted(&acme).await);
    world.leased(&acme, token(1)).await;
    assert!(
        world.starts(&acme, token(1), flying, 1).await && world.starts(&acme, token(1), doubted, 1).await
    );
    world.ends(&acme, doubted, 1, doubt(Resolution::Again { at: at(15), counts: true })).await;
    let answers = [
        (flying, Steered::Forbidden { state: MessageState::Sending, in_doubt: false }),
        (doubted, Steered::Forbidden { state: MessageState::Deferred, in_doubt: true }),
    ];
    for (id, forbidden) in answers {
        let before = world.state(&acme, id).await;
        assert_eq!(world.store.cancel(&acme, &id).await.expect("an answer"), forbidden);
        assert_eq!(world.state(&acme, id).await, before);
    }
    world.ends(&acme, flying, 1, sent()).await;
    let over = Steered::Forbidden { state: MessageState::Sent, in_doubt: false };
    assert_eq!(world.store.cancel(&acme, &flying).await.expect("an answer"), over);
    let beta = world.reseller("beta").await;
    assert_eq!(world.store.cancel(&beta, &flying).await.expect("an answer"), Steered::Missing);
}

pub async fn what_another_may_have_sent_ends_in_doubt_whatever_its_policy(world: &World) {
    let acme = world.reseller("acme").await;
    let (waiting, flying, done) =
        (world.accepted(&acme).await, world.accepted(&acme).await, world.accepted(&acme).await);
    world.tries(&acme, done, 1, sent()).await;
    world.leased(&acme, token(1)).await;
    assert!(world.starts(&acme, token(1), flying, 1).await);
    let doubts = async |id, number| {
        let finding = Finding::new(FindingCode::OutcomeUnknown);
        world.store.doubt(&acme, &id, AttemptNumber(number), finding).await.expect("an answer")
    };
    assert!(!doubts(waiting, 2).await, "that is not its next attempt");
    assert!(doubts(waiting, 1).await && doubts(flying, 1).await);
    for id in [waiting, flying] {
        let message = world.message(&acme, id).await;
        let outcomes: Vec<_> = message.attempts.iter().map(|attempt| attempt.outcome).collect();
        assert_eq!((message.state, outcomes), (MessageState::OutcomeUnknown, vec![Some(Outcome::InDoubt)]));
    }
    assert!(!doubts(waiting, 2).await && !doubts(done, 2).await, "what has ended stays as it is");
    assert_eq!(world.state(&acme, done).await, MessageState::Sent);
    assert_eq!(world.store.queue().await.expect("an answer").messages, 0);
    world.ends(&acme, flying, 1, sent()).await;
    assert_eq!(world.state(&acme, flying).await, MessageState::Sent, "a late 202 is known");
}

pub async fn a_retry_waits_again_with_a_fresh_expiry_and_its_history(world: &World) {
    let acme = world.reseller("acme").await;
    let id = world.accepts(NewMessage { expire_time: at(5), ..world.mail(&acme) }).await.id;
    world.tries(&acme, id, 1, doubt(Resolution::End(MessageState::OutcomeUnknown))).await;
    world.advance(5);
    let refused = world.store.retry(&acme, &id, again(at(900), false)).await.expect("an answer");
    assert_eq!(refused, Steered::Forbidden { state: MessageState::OutcomeUnknown, in_doubt: true });
    assert_eq!(world.store.retry(&acme, &id, again(at(900), true)).await.expect("an answer"), Steered::Done);
    let message = world.message(&acme, id).await;
    assert_eq!((message.state, message.expire_time), (MessageState::Accepted, at(900)));
    assert_eq!((message.next_attempt_time, message.attempts.len()), (Some(at(5)), 1));
    assert!(world.is_due(&acme).await);
    assert_eq!(world.store.queue().await.expect("an answer").messages, 1);
    world.leased(&acme, token(1)).await;
    assert!(world.starts(&acme, token(1), id, 2).await);
    world.ends(&acme, id, 2, super::record::rejected()).await;
    assert_eq!(world.state(&acme, id).await, MessageState::OutcomeUnknown, "the doubt is not forgotten");
}

pub async fn whatever_ended_unsent_can_be_retried_and_what_was_sent_cannot(world: &World) {
    let acme = world.reseller("acme").await;
    let failed = world.accepted(&acme).await;
    world.tries(&acme, failed, 1, super::record::rejected()).await;
    let deferred = world.accepted(&acme).await;
    let deferral = (super::record::rejected().0, Resolution::Again { at: at(500), counts: true });
    world.tries(&acme, deferred, 1, deferral).await;
    let expired = world.accepts(NewMessage { expire_time: at(1), ..world.mail(&acme) }).await.id;
    let cancelled = cancelled(world, &acme).await;
    world.advance(1);
    world.leased(&acme, token(1)).await;
    assert_eq!(world.state(&acme, expired).await, MessageState::Expired);
    for id in [failed, deferred, expired, cancelled] {
        assert_eq!(
            world.store.retry(&acme, &id, again(at(900), false)).await.expect("an answer"),
            Steered::Done
        );
        let message = world.message(&acme, id).await;
        assert_eq!((message.state, message.next_attempt_time), (MessageState::Accepted, Some(at(1))));
    }
    assert!(world.starts(&acme, token(1), failed, 2).await);
    let flying = Steered::Forbidden { state: MessageState::Sending, in_doubt: false };
    assert_eq!(world.store.retry(&acme, &failed, again(at(900), true)).await.expect("an answer"), flying);
    world.ends(&acme, failed, 2, sent()).await;
    let over = Steered::Forbidden { state: MessageState::Sent, in_doubt: false };
    assert_eq!(world.store.retry(&acme, &failed, again(at(900), true)).await.expect("an answer"), over);
    let accepted = Steered::Forbidden { state: MessageState::Accepted, in_doubt: false };
    assert_eq!(world.store.retry(&acme, &expired, again(at(900), true)).await.expect("an answer"), accepted);
}

pub async fn a_retry_is_now_unless_microsoft_asked_to_wait(world: &World) {
    for (name, asked, next) in [("guess", None, 0), ("asked", Some(30), 30)] {
        let reseller = world.reseller(name).await;
        let id = world.accepted(&reseller).await;
        let verdict = Verdict {
            retry_after: asked.map(super::seconds),
            ..Verdict::of(Outcome::Deferred, Finding::new(FindingCode::MailboxFull))
        };
        world.tries(&reseller, id, 1, (verdict, Resolution::LaneWaits { until: at(3_600) })).await;
        assert_eq!(world.message(&reseller, id).await.next_attempt_time, Some(at(3_600)));
        let retried = world.store.retry(&reseller, &id, again(at(9_000), false)).await.expect("an answer");
        assert_eq!(retried, Steered::Done);
        assert_eq!(world.message(&reseller, id).await.next_attempt_time, Some(at(next)), "{name}");
        assert_eq!(world.is_due(&reseller).await, asked.is_none(), "{name}");
    }
}

pub async fn what_a_mailbox_was_asked_holds_when_the_settings_name_it_again(world: &World) {
    for (name, is_heard_elsewhere) in [("before", false), ("meanwhile", true)] {
        let reseller = world.reseller(name).await;
        let id = world.accepted(&reseller).await;
        let own = world.new_settings(&reseller);
        let mut other = world.new_settings(&reseller);
        other.values.mailbox = EmailAddress::parse("other@acme.example").expect("an address");
        let throttled = Verdict {
            retry_after: Some(super::seconds(300)),
            ..Verdict::of(Outcome::Deferred, Finding::new(FindingCode::Throttled))
        };
        let end = (throttled, Resolution::LaneWaits { until: at(300) });
        world.leased(&reseller, token(1)).await;
        assert!(world.starts(&reseller, token(1), id, 1).await);
        if is_heard_elsewhere {
            world.put(other).await;
            world.ends(&reseller, id, 1, end).await;
        } else {
            world.ends(&reseller, id, 1, end).await;
            world.put(other).await;
        }
        world.release(&reseller, token(1)).await;
        world.put(own).await;
        assert_eq!(world.message(&reseller, id).await.next_attempt_time, Some(at(300)), "{name}");
        assert!(!world.is_due(&reseller).await, "{name}");
    }
}

pub async fn who_lets_a_lane_go_on_ends_its_own_guess_and_not_what_microsoft_asked(world: &World) {
    for (way, asked) in [(0, None), (1, None), (2, None), (0, Some(30)), (1, Some(30)), (2, Some(30))] {
        let reseller = world.reseller(&format!("way-{way}-{}", asked.unwrap_or(0))).await;
        let etag = world.settings(&reseller).await.etag;
        let id = world.accepted(&reseller).await;
        let deferred = Verdict::of(Outcome::Deferred, Finding::new(FindingCode::MailboxFull));
        let verdict = Verdict { retry_after: asked.map(super::seconds), ..deferred };
        world.tries(&reseller, id, 1, (verdict, Resolution::LaneWaits { until: at(3_600) })).await;
        world.accepted(&reseller).await;
        assert!(!world.is_due(&reseller).await);
        match way {
            0 => world.store.settings_work(&reseller, &etag).await.expect("noted"),
            1 => assert!(world.store.resume(&reseller).await.expect("resumed")),
            _ => drop(world.put(world.new_settings(&reseller)).await),
        }
        assert_eq!(world.is_due(&reseller).await, asked.is_none(), "way {way}, asked {asked:?}");
    }
}

pub async fn who_lets_a_lane_go_on_frees_what_was_set_aside_for_its_recipients(world: &World) {
    let acme = world.reseller("acme").await;
    let (aside, deferred) = (world.accepted(&acme).await, world.accepted(&acme).await);
    let etag = world.settings(&acme).await.etag;
    for way in 0..3_i64 {
        let again = |code, at| {
            let verdict = Verdict::of(Outcome::Deferred, Finding::new(code));
            (verdict, Resolution::Again { at, counts: false })
        };
        let number = u32::try_from(way).expect("few") + 1;
        world.tries(&acme, aside, number, again(FindingCode::DailyLimit, at(86_400))).await;
        if way == 0 {
            world.tries(&acme, deferred, 1, again(FindingCode::NotStarted, at(5_000))).await;
        }
        assert!(!world.is_due(&acme).await);
        match way {
            0 => world.store.settings_work(&acme, &etag).await.expect("noted"),
            1 => assert!(world.store.resume(&acme).await.expect("resumed")),
            _ => drop(world.put(world.new_settings(&acme)).await),
        }
        assert!(world.is_due(&acme).await, "way {way}");
        assert_eq!(world.message(&acme, aside).await.next_attempt_time, Some(at(0)), "way {way}");
        assert_eq!(world.message(&acme, deferred).await.next_attempt_time, Some(at(5_000)));
    }
}

pub async fn a_full_queue_takes_no_retry(world: &World) {
    let acme = world.reseller("acme").await;
    let id = cancelled(world, &acme).await;
    world.accepted(&acme).await;
    let full = QueueBounds { messages: 1, ..super::UNBOUNDED };
    let how = Retry { bounds: full, ..again(at(900), false) };
    assert_eq!(world.store.retry(&acme, &id, how).await.expect("an answer"), Steered::QueueFull);
    assert_eq!(world.state(&acme, id).await, MessageState::Cancelled);
}

pub async fn without_its_content_nothing_is_retried(world: &World) {
    let acme = world.reseller("acme").await;
    let id = cancelled(world, &acme).await;
    world.advance(61);
    world.store.purge().await.expect("purged");
    let gone = Steered::ContentGone { state: MessageState::Cancelled };
    assert_eq!(world.store.retry(&acme, &id, again(at(900), false)).await.expect("an answer"), gone);
}

pub async fn a_paused_lane_sends_nothing_and_says_why(world: &World) {
    let acme = world.reseller("acme").await;
    let id = world.accepted(&acme).await;
    assert!(world.store.pause(&acme, "unpaid").await.expect("paused"));
    let status = world.settings(&acme).await.status;
    let finding = status.finding.expect("why");
    assert_eq!((status.state, finding.code), (SettingsState::Paused, FindingCode::SendingPaused));
    assert_eq!(finding.evidence.get("reason").map(String::as_str), Some("unpaid"));
    assert_eq!(world.state(&acme, id).await, MessageState::Held);
    assert!(!world.is_due(&acme).await);
    let new = world.accepts(world.mail(&acme)).await;
    assert_eq!(new.state, MessageState::Held, "mail is taken");
    assert!(!world.is_due(&acme).await);
    assert_eq!(world.next_due().await, Some(at(100_000)), "only for its expiry");
    assert!(world.store.next_queued(&acme, world.now(), 10, u32::MAX).await.expect("queued").is_empty());
    assert!(!world.store.pause(&World::slug("nobody"), "").await.expect("an answer"));
}

pub async fn resuming_lets_the_lane_go_on_and_probes_a_held_one_at_once(world: &World) {
    let (acme, held) = world.held_lane("acme", 600).await;
    assert!(world.store.pause(&acme, "").await.expect("paused"));
    world.put(world.new_settings(&acme)).await;
    assert_eq!(world.state(&acme, held).await, MessageState::Held, "the pause is the operator's");
    world.store.resume(&acme).await.expect("resumed");
    assert_eq!(world.state(&acme, held).await, MessageState::Deferred);
    assert!(world.is_due(&acme).await);
    world.tries(&acme, held, 2, held_by(hold(700))).await;
    assert!(!world.is_due(&acme).await);
    assert!(world.store.resume(&acme).await.expect("resumed"));
    assert_eq!(world.state(&acme, held).await, MessageState::Held, "the settings are as broken as before");
    assert!(world.is_due(&acme).await, "but are tried now");
    assert!(!world.store.resume(&World::slug("nobody")).await.expect("an answer"));
}

pub async fn the_holder_of_a_lane_hears_of_every_change_by_others(world: &World) {
    let acme = world.reseller("acme").await;
    world.accepted(&acme).await;
    let mut heard = world.leased(&acme, token(1)).await.signal;
    let renewed = || async {
        let renewed = world.store.renew(&acme, token(1), super::seconds(10)).await;
        renewed.expect("an answer").expect("held")
    };
    assert_eq!(renewed().await, heard);
    world.store.pause(&acme, "").await.expect("paused");
    assert!(renewed().await > heard);
    heard = renewed().await;
    world.store.resume(&acme).await.expect("resumed");
    assert!(renewed().await > heard);
    heard = renewed().await;
    let settings = world.put(world.new_settings(&acme)).await;
    assert!(renewed().await > heard);
    heard = renewed().await;
    world.store.settings_work(&acme, &settings.etag).await.expect("noted");
    assert!(renewed().await > heard);
}
