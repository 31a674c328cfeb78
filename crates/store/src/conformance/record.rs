//! Record: written down before the call, once after it; what a late answer may still do.

use std::time::Duration;

use jiff::Timestamp;
use postrider_domain::{
    AttemptEnd, AttemptStart, Finding, FindingCode, MessageId, MessageState, Outcome, ResellerId, Resolution,
    SettingsState, Verdict,
};

use super::{World, at, doubt, held_by, hold, sent, token};
use crate::NewMessage;

pub(super) fn rejected() -> (Verdict, Resolution) {
    let finding = Finding::new(FindingCode::RecipientInvalid);
    (Verdict::of(Outcome::Rejected, finding), Resolution::End(MessageState::Failed))
}

/// One attempt open under `token(1)`.
async fn in_flight(world: &World) -> (ResellerId, MessageId) {
    let acme = world.reseller("acme").await;
    let id = world.accepted(&acme).await;
    world.leased(&acme, token(1)).await;
    assert!(world.starts(&acme, token(1), id, 1).await);
    (acme, id)
}

pub async fn an_attempt_is_written_down_before_the_call(world: &World) {
    let (acme, id) = in_flight(world).await;
    let message = world.message(&acme, id).await;
    assert_eq!((message.state, message.next_attempt_time), (MessageState::Sending, None));
    let [attempt] = message.attempts.as_slice() else { panic!("one: {:?}", message.attempts) };
    assert_eq!((attempt.number.0, attempt.start_time), (1, at(0)));
    assert_eq!((attempt.end_time, attempt.outcome), (None, None));
}

pub async fn a_message_that_does_not_wait_is_not_started(world: &World) {
    let (acme, id) = in_flight(world).await;
    assert!(!world.starts(&acme, token(1), id, 2).await, "it is in flight");
    world.ends(&acme, id, 1, sent()).await;
    assert!(!world.starts(&acme, token(1), id, 2).await, "it is sent");
    assert!(
        !world.starts(&acme, token(1), MessageId::of_uuid(uuid::Uuid::nil()), 1).await,
        "it is not there"
    );
    assert_eq!(world.message(&acme, id).await.attempts.len(), 1);
}

pub async fn a_202_is_sent_and_its_content_is_gone(world: &World) {
    let (acme, id) = in_flight(world).await;
    world.advance(2);
    world.ends(&acme, id, 1, sent()).await;
    let message = world.message(&acme, id).await;
    assert_eq!((message.state, message.finding, message.update_time), (MessageState::Sent, None, at(2)));
    let attempt = message.attempts.first().expect("one");
    assert_eq!((attempt.end_time, attempt.outcome), (Some(at(2)), Some(Outcome::Sent)));
    assert_eq!(attempt.graph_request_id.as_deref(), Some("graph-1"));
    assert!(!world.has_content(&acme, id).await);
}

pub async fn only_a_202_is_sent(world: &World) {
    let (acme, id) = in_flight(world).await;
    world.ends(&acme, id, 1, doubt(Resolution::End(MessageState::Sent))).await;
    assert_eq!(world.state(&acme, id).await, MessageState::OutcomeUnknown);
}

pub async fn a_failed_message_keeps_its_content(world: &World) {
    let (acme, id) = in_flight(world).await;
    world.ends(&acme, id, 1, rejected()).await;
    let message = world.message(&acme, id).await;
    assert_eq!(message.state, MessageState::Failed);
    assert_eq!(message.finding.map(|finding| finding.code), Some(FindingCode::RecipientInvalid));
    assert!(world.has_content(&acme, id).await);
}

pub async fn a_deferred_message_waits_and_its_gaps_grow_only_where_they_count(world: &World) {
    let (acme, id) = in_flight(world).await;
    let outage = || Verdict::of(Outcome::Deferred, Finding::new(FindingCode::NetworkUnreachable));
    world.ends(&acme, id, 1, (outage(), Resolution::Again { at: at(5), counts: false })).await;
    let message = world.message(&acme, id).await;
    assert_eq!((message.state, message.next_attempt_time), (MessageState::Deferred, Some(at(5))));
    let queued =
        |now| async move { world.store.next_queued(&acme, now, 1, u32::MAX).await.expect("queued").pop() };
    assert_eq!(queued.clone()(at(4)).await, None);
    let waiting = queued.clone()(at(5)).await.expect("due");
    assert_eq!((waiting.attempts, waiting.backoffs, waiting.in_doubt), (1, 0, false));
    let acme = World::slug("acme");
    assert!(world.starts(&acme, token(1), id, 2).await);
    world.ends(&acme, id, 2, doubt(Resolution::Again { at: at(9), counts: true })).await;
    let waiting = queued(at(9)).await.expect("due");
    assert_eq!((waiting.attempts, waiting.backoffs, waiting.in_doubt), (2, 1, true));
}

pub async fn a_doubt_is_never_hidden_behind_another_end(world: &World) {
    let (acme, id) = in_flight(world).await;
    world.ends(&acme, id, 1, doubt(Resolution::Again { at: at(0), counts: true })).await;
    assert!(world.starts(&acme, token(1), id, 2).await);
    world.ends(&acme, id, 2, rejected()).await;
    assert_eq!(world.state(&acme, id).await, MessageState::OutcomeUnknown);
}

pub async fn an_outcome_is_written_once(world: &World) {
    let (acme, id) = in_flight(world).await;
    world.ends(&acme, id, 1, doubt(Resolution::End(MessageState::OutcomeUnknown))).await;
    world.advance(1);
    world.ends(&acme, id, 1, rejected()).await;
    let message = world.message(&acme, id).await;
    assert_eq!(message.state, MessageState::OutcomeUnknown);
    let attempt = message.attempts.first().expect("one");
    assert_eq!((attempt.outcome, attempt.end_time), (Some(Outcome::InDoubt), Some(at(0))));
    world.ends(&acme, id, 7, rejected()).await;
}

pub async fn an_outcome_told_twice_is_no_news(world: &World) {
    let (acme, id) = in_flight(world).await;
    let end = world.end(id, 1, doubt(Resolution::Again { at: at(15), counts: true }));
    world.store.end_attempt(&acme, end.clone()).await.expect("recorded");
    let before = world.message(&acme, id).await;
    world.store.end_attempt(&acme, end).await.expect("known");
    assert_eq!(world.message(&acme, id).await, before);
}

pub async fn a_late_202_lifts_any_end_and_is_kept_beside_the_first_outcome(world: &World) {
    let (acme, id) = in_flight(world).await;
    world.advance(70);
    world.leased(&acme, token(2)).await;
    world.ends(&acme, id, 1, doubt(Resolution::End(MessageState::OutcomeUnknown))).await;
    world.advance(1);
    world.ends(&acme, id, 1, sent()).await;
    let message = world.message(&acme, id).await;
    assert_eq!((message.state, message.finding), (MessageState::Sent, None));
    let attempt = message.attempts.first().expect("one");
    assert_eq!(attempt.outcome, Some(Outcome::InDoubt), "nothing is overwritten");
    let evidence = &attempt.finding.as_ref().expect("kept").evidence;
    assert_eq!(evidence.get("late_outcome").map(String::as_str), Some("sent"));
    assert_eq!(evidence.get("late_graph_request_id").map(String::as_str), Some("graph-1"));
    assert!(!world.has_content(&acme, id).await);
}

pub async fn nothing_lowers_sent(world: &World) {
    let (acme, id) = in_flight(world).await;
    world.ends(&acme, id, 1, doubt(Resolution::Again { at: at(0), counts: true })).await;
    assert!(world.starts(&acme, token(1), id, 2).await);
    world.advance(1);
    world.ends(&acme, id, 1, sent()).await;
    assert_eq!(world.state(&acme, id).await, MessageState::Sent);
    world.ends(&acme, id, 2, rejected()).await;
    let message = world.message(&acme, id).await;
    assert_eq!(message.state, MessageState::Sent);
    assert_eq!(message.attempts.last().and_then(|attempt| attempt.outcome), Some(Outcome::Rejected));
    world.advance(1);
    world.ends(&acme, id, 2, doubt(Resolution::Again { at: at(5), counts: true })).await;
    assert_eq!(world.state(&acme, id).await, MessageState::Sent);
}

pub async fn a_limit_makes_the_lane_wait(world: &World) {
    let (acme, id) = in_flight(world).await;
    let other = world.accepted(&acme).await;
    world.ends(&acme, id, 1, throttled(Resolution::LaneWaits { until: at(40) })).await;
    assert!(world.store.next_queued(&acme, at(39), 10, u32::MAX).await.expect("queued").is_empty());
    let message = world.message(&acme, other).await;
    assert_eq!((message.state, message.next_attempt_time), (MessageState::Accepted, Some(at(40))));
    assert_eq!(world.release(&acme, token(1)).await, Some(at(40)));
    let queued = world.store.next_queued(&acme, at(40), 10, u32::MAX).await.expect("queued");
    assert_eq!(queued.len(), 2);
    assert!(queued.iter().all(|queued| queued.backoffs == 0));
}

/// The same, and Microsoft asks to be left alone.
fn asking((verdict, resolution): (Verdict, Resolution), seconds: u64) -> (Verdict, Resolution) {
    (Verdict { retry_after: Some(Duration::from_secs(seconds)), ..verdict }, resolution)
}

fn throttled(resolution: Resolution) -> (Verdict, Resolution) {
    (Verdict::of(Outcome::Deferred, Finding::new(FindingCode::Throttled)), resolution)
}

/// Until when nothing of the lane is tried, going by a message of its.
async fn waits_until(world: &World, reseller: &ResellerId) -> Option<Timestamp> {
    let id = world.accepted(reseller).await;
    world.message(reseller, id).await.next_attempt_time.filter(|next| *next > world.now())
}

pub async fn the_lane_waits_as_long_as_microsoft_asks_whatever_the_outcome(world: &World) {
    let asked = [
        asking(sent(), 30),
        asking(rejected(), 30),
        asking(doubt(Resolution::Again { at: at(5), counts: true }), 30),
        asking(throttled(Resolution::Again { at: at(5), counts: true }), 30),
        asking(throttled(Resolution::LaneWaits { until: at(7) }), 30),
        asking(throttled(Resolution::LaneWaits { until: at(30) }), 7),
    ];
    for (number, outcome) in asked.into_iter().enumerate() {
        let reseller = world.reseller(&format!("acme-{number}")).await;
        let id = world.accepted(&reseller).await;
        world.leased(&reseller, token(1)).await;
        assert!(world.starts(&reseller, token(1), id, 1).await);
        world.ends(&reseller, id, 1, outcome.clone()).await;
        assert_eq!(waits_until(world, &reseller).await, Some(at(30)), "{outcome:?}");
        world.ends(&reseller, id, 1, outcome).await;
        world.release(&reseller, token(1)).await;
        assert!(world.store.next_queued(&reseller, at(29), 10, u32::MAX).await.expect("queued").is_empty());
    }
    assert_eq!(world.next_due().await, Some(at(30)));
}

pub async fn a_wait_that_was_asked_for_is_counted_from_the_answer_and_outlives_a_hold(world: &World) {
    let acme = world.reseller("acme").await;
    let (first, second) = (world.accepted(&acme).await, world.accepted(&acme).await);
    world.leased(&acme, token(1)).await;
    world.advance(2);
    let (start, end) = (world.attempt(first, 1), world.end(first, 1, asking(held_by(hold(5)), 30)));
    assert!(world.store.refuse_attempt(&acme, token(1), start, end).await.expect("refused"));
    assert!(world.starts(&acme, token(1), second, 1).await);
    world.ends(&acme, second, 1, asking(sent(), 0)).await;
    assert_eq!(waits_until(world, &acme).await, Some(at(32)), "the 202 freed the hold, and no more");
}

pub async fn a_late_answer_is_obeyed_by_its_own_holder_only(world: &World) {
    let (acme, id) = in_flight(world).await;
    world.ends(&acme, id, 1, doubt(Resolution::Again { at: at(0), counts: true })).await;
    world.ends(&acme, id, 1, asking(throttled(Resolution::LaneWaits { until: at(20) }), 20)).await;
    assert_eq!(waits_until(world, &acme).await, Some(at(20)));
    world.advance(20);
    world.leased(&acme, token(2)).await;
    world.ends(&acme, id, 1, asking(sent(), 30)).await;
    assert_eq!(waits_until(world, &acme).await, None);
}

pub async fn a_doubt_after_a_real_outcome_is_no_news(world: &World) {
    for (number, outcome) in
        [sent(), rejected(), throttled(Resolution::LaneWaits { until: at(5) })].into_iter().enumerate()
    {
        let reseller = world.reseller(&format!("acme-{number}")).await;
        let id = world.accepted(&reseller).await;
        world.leased(&reseller, token(1)).await;
        assert!(world.starts(&reseller, token(1), id, 1).await);
        world.ends(&reseller, id, 1, outcome).await;
        let before = world.message(&reseller, id).await;
        let by_another = doubt(Resolution::End(MessageState::OutcomeUnknown));
        let end = AttemptEnd { end_time: at(60), ..world.end(id, 1, by_another) };
        world.store.end_attempt(&reseller, end).await.expect("an answer");
        assert_eq!(world.message(&reseller, id).await, before);
    }
}

pub async fn a_late_refusal_is_kept_beside_the_doubt(world: &World) {
    let (acme, id) = in_flight(world).await;
    world.ends(&acme, id, 1, doubt(Resolution::End(MessageState::OutcomeUnknown))).await;
    world.advance(1);
    world.ends(&acme, id, 1, rejected()).await;
    let message = world.message(&acme, id).await;
    assert_eq!(message.state, MessageState::OutcomeUnknown);
    let evidence = message.attempts[0].finding.as_ref().expect("kept").evidence.clone();
    assert_eq!(evidence.get("late_outcome").map(String::as_str), Some("rejected"));
}

pub async fn a_hold_keeps_the_message_first_and_spends_nothing(world: &World) {
    let (acme, id) = in_flight(world).await;
    world.accepted(&acme).await;
    world.advance(3);
    world.ends(&acme, id, 1, held_by(hold(30))).await;
    let queued = world.store.next_queued(&acme, at(3), 10, u32::MAX).await.expect("queued");
    let first = queued.first().expect("one");
    assert_eq!((first.id, first.backoffs, first.in_doubt), (id, 0, false));
    let status = world.settings(&acme).await.status;
    assert_eq!((status.state, status.finding), (SettingsState::Paused, Some(hold(30).finding)));
}

pub async fn a_hold_under_an_old_token_is_not_written(world: &World) {
    let (acme, id) = in_flight(world).await;
    world.advance(10);
    world.leased(&acme, token(2)).await;
    world.ends(&acme, id, 1, held_by(hold(30))).await;
    assert_eq!(world.state(&acme, id).await, MessageState::Deferred);
    assert_eq!(world.settings(&acme).await.status.state, SettingsState::Untested);
}

pub async fn a_hold_by_settings_that_were_replaced_is_not_written(world: &World) {
    let (acme, id) = in_flight(world).await;
    world.put(world.new_settings(&acme)).await;
    world.ends(&acme, id, 1, held_by(hold(30))).await;
    assert_eq!(world.state(&acme, id).await, MessageState::Deferred);
    assert_eq!(world.release(&acme, token(1)).await, Some(at(0)), "it is simply due again");
    assert_eq!(world.settings(&acme).await.status.state, SettingsState::Untested);
}

pub async fn no_attempt_starts_with_settings_that_were_replaced(world: &World) {
    let acme = world.reseller("acme").await;
    let id = world.accepted(&acme).await;
    let lease = world.leased(&acme, token(1)).await;
    assert_eq!(lease.settings, world.settings(&acme).await.etag);
    // Put while the token was being asked for.
    world.put(world.new_settings(&acme)).await;
    let start = AttemptStart { settings: Some(lease.settings), ..world.attempt(id, 1) };
    assert!(!world.store.start_attempt(&acme, token(1), start.clone()).await.expect("an answer"));
    let end = world.end(id, 1, held_by(hold(30)));
    assert!(!world.store.refuse_attempt(&acme, token(1), start, end).await.expect("an answer"));
    let message = world.message(&acme, id).await;
    assert_eq!((message.state, message.attempts.len()), (MessageState::Accepted, 0));
    let settings = Some(world.settings(&acme).await.etag);
    let start = AttemptStart { settings, ..world.attempt(id, 1) };
    assert!(world.store.start_attempt(&acme, token(1), start).await.expect("started"));
}

pub async fn a_202_frees_a_held_lane_and_makes_the_settings_ready(world: &World) {
    let (acme, probe) = world.held_lane("acme", 30).await;
    let other = world.accepted(&acme).await;
    assert_eq!(world.settings(&acme).await.status.state, SettingsState::Paused);
    world.advance(30);
    assert_eq!(world.tries(&acme, probe, 2, sent()).await, Some(at(30)), "the others are due now");
    let status = world.settings(&acme).await.status;
    assert_eq!((status.state, status.finding), (SettingsState::Ready, None));
    assert_eq!(world.state(&acme, other).await, MessageState::Accepted);
}

pub async fn an_operators_pause_is_ended_neither_by_a_202_nor_by_a_hold(world: &World) {
    let acme = world.reseller("acme").await;
    let (first, second) = (world.accepted(&acme).await, world.accepted(&acme).await);
    world.leased(&acme, token(1)).await;
    assert!(world.starts(&acme, token(1), first, 1).await && world.starts(&acme, token(1), second, 1).await);
    assert!(world.store.pause(&acme, "unpaid").await.expect("paused"));
    let paused = || async { world.settings(&acme).await.status.finding.map(|finding| finding.code) };
    world.ends(&acme, first, 1, sent()).await;
    assert_eq!(paused().await, Some(FindingCode::SendingPaused));
    world.ends(&acme, second, 1, held_by(hold(30))).await;
    assert_eq!(paused().await, Some(FindingCode::SendingPaused));
    assert_eq!(world.state(&acme, second).await, MessageState::Held);
    assert!(!world.starts(&acme, token(1), second, 2).await, "nothing starts while it is paused");
}

pub async fn an_attempt_that_never_left_is_written_whole(world: &World) {
    let acme = world.reseller("acme").await;
    let id = world.accepts(NewMessage { ..world.mail(&acme) }).await.id;
    world.leased(&acme, token(1)).await;
    let (start, end) = (world.attempt(id, 1), world.end(id, 1, held_by(hold(30))));
    assert!(world.store.refuse_attempt(&acme, token(1), start.clone(), end.clone()).await.expect("written"));
    let message = world.message(&acme, id).await;
    assert_eq!((message.state, message.attempts.len()), (MessageState::Held, 1));
    assert_eq!(message.attempts[0].outcome, Some(Outcome::Deferred));
    assert!(
        !world.store.refuse_attempt(&acme, token(1), start, end).await.expect("once"),
        "number 1 is taken"
    );
    assert_eq!(world.release(&acme, token(1)).await, Some(at(30)));
}
