//! How a lane is drained: at most four at once, held by settings, never in doubt in silence.

mod model;

use std::time::Duration;

use model::{PACE, World};
use postrider_domain::{
    Finding, FindingCode, InDoubtPolicy, MessageState, Outcome, PaceLimits, TokenRefusal, Verdict,
};

const UNPACED: PaceLimits = PaceLimits { messages_per_minute: 0, ..PACE };
const LATENCY: Duration = Duration::from_millis(80);

fn of(outcome: Outcome, code: FindingCode) -> Verdict {
    Verdict::of(outcome, Finding::new(code))
}

#[tokio::test(start_paused = true)]
async fn a_lane_is_drained_four_at_once() {
    let world = World::new(LATENCY);
    world.dispatches(UNPACED);
    let begun = world.now();
    world.accepts(40, InDoubtPolicy::AtLeastOnce);
    world.all_are(MessageState::Sent).await;
    assert_eq!(world.most_in_flight(), 4);
    assert_eq!(world.now().duration_since(begun).as_millis(), 10 * 80);
}

#[tokio::test(start_paused = true)]
async fn first_attempts_start_in_the_order_of_acceptance() {
    let world = World::new(LATENCY);
    world.dispatches(UNPACED);
    world.accepts(20, InDoubtPolicy::AtLeastOnce);
    world.all_are(MessageState::Sent).await;
    let starts: Vec<_> = world.messages().iter().map(|m| m.attempts[0].0.start_time).collect();
    assert!(starts.is_sorted());
}

#[tokio::test(start_paused = true)]
async fn no_minute_sees_more_than_its_messages() {
    let world = World::new(LATENCY);
    world.dispatches(PACE);
    world.accepts(100, InDoubtPolicy::AtLeastOnce);
    world.all_are(MessageState::Sent).await;
    let mut starts: Vec<_> = world.messages().iter().map(|m| m.attempts[0].0.start_time).collect();
    starts.sort_unstable();
    for window in starts.windows(31) {
        assert!(window[30].duration_since(window[0]).as_secs() >= 60, "31 within {window:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn broken_settings_hold_the_lane_and_burn_nothing_until_they_are_mended() {
    let world = World::new(LATENCY);
    let finding = Box::new(Finding::new(FindingCode::SecretExpired));
    world.refuses_tokens(Some(TokenRefusal { finding, retry_after: None }));
    world.dispatches(UNPACED);
    world.accepts(10, InDoubtPolicy::AtLeastOnce);
    let hold = world.until(World::hold).await;
    assert_eq!(hold.finding.code, FindingCode::SecretExpired);
    let attempts: usize = world.messages().iter().map(|m| m.attempts.len()).sum();
    assert_eq!(attempts, 1, "only the first was tried");
    world.refuses_tokens(None);
    world.mends();
    world.all_are(MessageState::Sent).await;
    assert!(world.messages().iter().all(|m| m.queued.backoffs == 0));
}

#[tokio::test(start_paused = true)]
async fn a_held_lane_is_probed_with_one_message_at_growing_gaps_and_heals_by_itself() {
    let world = World::new(LATENCY);
    world.answers((0..4).map(|_| of(Outcome::Deferred, FindingCode::MailSendMissing)));
    world.dispatches(PaceLimits { concurrency: 1, ..UNPACED });
    let begun = world.now();
    world.accepts(3, InDoubtPolicy::AtLeastOnce);
    world.all_are(MessageState::Sent).await;
    // 60 s, 120 s, 240 s and 480 s after the four refusals.
    assert_eq!(world.now().duration_since(begun).as_secs(), 900);
    let attempts: usize = world.messages().iter().map(|m| m.attempts.len()).sum();
    assert_eq!(attempts, 4 + 3);
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_dropped_and_another_tried_at_once_as_a_second_attempt() {
    let world = World::new(LATENCY);
    let refused = Verdict { token_refused: true, ..of(Outcome::Deferred, FindingCode::MicrosoftUnavailable) };
    world.answers([refused]);
    world.dispatches(UNPACED);
    let begun = world.now();
    world.accepts(1, InDoubtPolicy::AtLeastOnce);
    world.all_are(MessageState::Sent).await;
    let outcomes: Vec<_> = world.messages()[0].attempts.iter().map(|(_, outcome)| *outcome).collect();
    assert_eq!(outcomes, [Some(Outcome::Deferred), Some(Outcome::Sent)]);
    assert_eq!(world.tokens_fetched_and_forgotten(), (2, 1));
    assert!(world.now().duration_since(begun).as_secs() < 1);
}

#[tokio::test(start_paused = true)]
async fn a_doubt_is_repeated_or_ends_by_the_policy_of_its_message() {
    let world = World::new(LATENCY);
    world.answers([of(Outcome::InDoubt, FindingCode::OutcomeUnknown)]);
    world.dispatches(UNPACED);
    world.accepts(1, InDoubtPolicy::AtLeastOnce);
    world.all_are(MessageState::Sent).await;
    assert_eq!(world.messages()[0].attempts[0].1, Some(Outcome::InDoubt), "its history says so");
    world.answers([of(Outcome::InDoubt, FindingCode::OutcomeUnknown)]);
    world.accepts(1, InDoubtPolicy::AtMostOnce);
    world.until(|world| (world.messages()[1].state == MessageState::OutcomeUnknown).then_some(())).await;
    assert_eq!(world.messages()[1].attempts.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_limit_stops_the_whole_lane_for_as_long_as_microsoft_asked() {
    let world = World::new(LATENCY);
    let asked = Some(Duration::from_mins(5));
    world.answers([Verdict { retry_after: asked, ..of(Outcome::Deferred, FindingCode::Throttled) }]);
    world.dispatches(PaceLimits { concurrency: 1, ..UNPACED });
    let begun = world.now();
    world.accepts(5, InDoubtPolicy::AtLeastOnce);
    world.all_are(MessageState::Sent).await;
    let attempts = world.messages().into_iter().flat_map(|m| m.attempts);
    let mut starts: Vec<_> = attempts.map(|(start, _)| start.start_time).collect();
    starts.sort_unstable();
    assert!(starts[1].duration_since(begun).as_secs() >= 300);
}

#[tokio::test(start_paused = true)]
async fn a_message_at_fault_fails_alone() {
    let world = World::new(LATENCY);
    world.answers([of(Outcome::Rejected, FindingCode::RecipientInvalid)]);
    world.dispatches(PaceLimits { concurrency: 1, ..UNPACED });
    world.accepts(3, InDoubtPolicy::AtLeastOnce);
    world.until(|world| world.messages().iter().all(|m| m.state.is_end()).then_some(())).await;
    let states: Vec<_> = world.messages().iter().map(|m| m.state).collect();
    assert_eq!(states, [MessageState::Failed, MessageState::Sent, MessageState::Sent]);
}

#[tokio::test(start_paused = true)]
async fn shutdown_starts_nothing_more_and_hears_out_what_is_in_flight() {
    let world = World::new(Duration::from_secs(5));
    let dispatching = world.dispatches(UNPACED);
    world.accepts(20, InDoubtPolicy::AtLeastOnce);
    tokio::time::advance(Duration::from_secs(1)).await;
    world.stops();
    dispatching.await.expect("it ends");
    let states: Vec<_> = world.messages().iter().map(|m| m.state).collect();
    assert!(
        states.iter().all(|state| matches!(state, MessageState::Sent | MessageState::Accepted)),
        "{states:?}"
    );
    assert!(states.iter().filter(|state| **state == MessageState::Sent).count() <= 4);
}

/// Whatever comes first, the news or the disk: at most the calls that were already on their way are made.
#[tokio::test(start_paused = true)]
async fn a_stopped_lane_makes_no_call_that_had_not_left() {
    for stop in [FindingCode::Throttled, FindingCode::MailSendMissing] {
        let world = World::new(LATENCY);
        world.takes_to_write(Duration::from_millis(10));
        world.answers((0..4).map(|_| of(Outcome::Deferred, stop)));
        world.dispatches(UNPACED);
        let begun = world.now();
        world.accepts(20, InDoubtPolicy::AtLeastOnce);
        world.all_are(MessageState::Sent).await;
        let calls = world.calls();
        let early = calls.iter().filter(|call| call.duration_since(begun).as_secs() < 5).count();
        assert_eq!(early, 4, "{stop}: {calls:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn mended_settings_are_taken_over_at_once_though_an_earlier_call_still_hangs() {
    let world = World::new(LATENCY);
    world.answers_after([LATENCY, Duration::from_secs(50)]);
    world.answers([of(Outcome::Deferred, FindingCode::MailSendMissing)]);
    world.dispatches(PaceLimits { concurrency: 2, ..UNPACED });
    world.accepts(10, InDoubtPolicy::AtLeastOnce);
    world.until(World::hold).await;
    let mended = world.now();
    world.mends();
    let sent = |world: &World| world.messages().iter().filter(|m| m.state == MessageState::Sent).count();
    world.until(|world| (sent(world) == 9).then_some(())).await;
    assert!(world.now().duration_since(mended).as_secs() < 2);
    world.all_are(MessageState::Sent).await;
}
