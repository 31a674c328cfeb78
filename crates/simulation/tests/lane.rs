//! Promise: a lane is drained in order and within its limits, stops when it must, and never doubts in silence.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use postrider_domain::{
    AttemptEnd, AttemptNumber, AttemptStart, EmailAddress, FindingCode, InDoubtPolicy, Message, MessageId,
    MessageState, Outcome, PaceLimits, Priority, ResellerId, Resolution, Verdict,
};
use postrider_simulation::microsoft::Answer;
use postrider_simulation::world::{PACE, World};
use postrider_store::{Accepted, NewMessage, Outbox as _, TestMail};
use uuid::Uuid;

const UNPACED: PaceLimits = PaceLimits { messages_per_minute: 0, ..PACE };
const ALONE: PaceLimits = PaceLimits { concurrency: 1, ..UNPACED };

async fn acme(pace: PaceLimits) -> (World, ResellerId) {
    let world = World::scripted(pace);
    let acme = world.reseller("acme").await;
    (world, acme)
}

fn starts(messages: &[Message]) -> Vec<Timestamp> {
    messages.iter().flat_map(|message| &message.attempts).map(|attempt| attempt.start_time).collect()
}

fn outcomes(message: &Message) -> Vec<Option<Outcome>> {
    message.attempts.iter().map(|attempt| attempt.outcome).collect()
}

fn states(messages: &[Message]) -> Vec<MessageState> {
    messages.iter().map(|message| message.state).collect()
}

fn is_held(messages: &[Message]) -> bool {
    messages.iter().any(|message| message.state == MessageState::Held)
}

/// How long ago, in milliseconds.
fn since(world: &World, begun: Timestamp) -> i128 {
    world.now().duration_since(begun).as_millis()
}

#[tokio::test(start_paused = true)]
async fn it_is_drained_four_at_once() {
    let (world, acme) = acme(UNPACED).await;
    let begun = world.now();
    world.accepts_many(&acme, 40, InDoubtPolicy::AtLeastOnce).await;
    world.all_are(&acme, MessageState::Sent).await;
    assert_eq!(world.microsoft.most_in_flight(&acme), 4);
    assert_eq!(since(&world, begun), 10 * 80);
}

#[tokio::test(start_paused = true)]
async fn mail_that_is_over_ends_while_every_call_of_its_lane_takes_long() {
    let (world, acme) = acme(UNPACED).await;
    let begun = world.now();
    let slow = || Answer::sent(Duration::from_secs(25));
    world.microsoft.answers((0..40).map(|_| slow()));
    let expire_time = begun + Duration::from_secs(20);
    for number in 0..39 {
        world.accepts(world.mail(&acme, number)).await;
    }
    let short = world.accepts(NewMessage { expire_time, ..world.mail(&acme, 39) }).await;
    let is_over = |message: &Message| message.id == short && message.state == MessageState::Expired;
    world.until(&acme, |messages| messages.iter().any(is_over)).await;
    assert!(since(&world, begun) <= 26_000, "{} ms", since(&world, begun));
}

#[tokio::test(start_paused = true)]
async fn first_attempts_start_in_the_order_of_acceptance() {
    let (world, acme) = acme(UNPACED).await;
    world.accepts_many(&acme, 20, InDoubtPolicy::AtLeastOnce).await;
    world.all_are(&acme, MessageState::Sent).await;
    assert!(starts(&world.messages(&acme).await).is_sorted());
}

#[tokio::test(start_paused = true)]
async fn no_minute_sees_more_than_its_messages() {
    let (world, acme) = acme(PACE).await;
    world.accepts_many(&acme, 100, InDoubtPolicy::AtLeastOnce).await;
    world.all_are(&acme, MessageState::Sent).await;
    let mut starts = starts(&world.messages(&acme).await);
    starts.sort_unstable();
    for window in starts.windows(31) {
        assert!(window[30].duration_since(window[0]).as_secs() >= 60, "31 within {window:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn broken_settings_hold_it_and_burn_nothing_until_they_are_mended() {
    let (world, acme) = acme(UNPACED).await;
    world.replica().tokens.refuses(Some(FindingCode::SecretExpired));
    world.accepts_many(&acme, 10, InDoubtPolicy::AtLeastOnce).await;
    world.until(&acme, is_held).await;
    let held = world.messages(&acme).await;
    assert!(
        held.iter()
            .all(|message| message.finding.as_ref().map(|f| f.code) == Some(FindingCode::SecretExpired))
    );
    assert_eq!(starts(&held).len(), 1, "only the first was tried");
    let mended = world.now();
    world.replica().tokens.refuses(None);
    world.puts(world.settings(&acme)).await;
    world.replica().hears_of_lane(&acme);
    world.all_are(&acme, MessageState::Sent).await;
    assert!(since(&world, mended) < 2_000);
}

#[tokio::test(start_paused = true)]
async fn while_held_it_is_probed_with_one_message_at_growing_gaps_and_heals_by_itself() {
    let (world, acme) = acme(ALONE).await;
    let refused = Answer::of(Outcome::Deferred, FindingCode::MailSendMissing);
    world.microsoft.answers(std::iter::repeat_n(refused, 4));
    let begun = world.now();
    world.accepts_many(&acme, 3, InDoubtPolicy::AtLeastOnce).await;
    world.all_are(&acme, MessageState::Sent).await;
    // 1, 2, 4 and 8 minutes after the four refusals.
    assert_eq!(since(&world, begun) / 60_000, 15);
    assert_eq!(starts(&world.messages(&acme).await).len(), 4 + 3);
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_dropped_and_another_tried_at_once_as_a_second_attempt() {
    let (world, acme) = acme(UNPACED).await;
    let mut refused = Answer::of(Outcome::Deferred, FindingCode::MicrosoftUnavailable);
    refused.verdict.token_refused = true;
    world.microsoft.answers([refused]);
    let begun = world.now();
    world.accepts_many(&acme, 1, InDoubtPolicy::AtLeastOnce).await;
    world.all_are(&acme, MessageState::Sent).await;
    assert_eq!(outcomes(&world.messages(&acme).await[0]), [Some(Outcome::Deferred), Some(Outcome::Sent)]);
    assert_eq!(world.replica().tokens.fetched_and_forgotten(), (2, 1));
    assert!(since(&world, begun) < 1_000);
}

#[tokio::test(start_paused = true)]
async fn mail_that_had_the_refused_token_too_gets_another_as_well() {
    let (world, acme) = acme(UNPACED).await;
    let mut refused = Answer::of(Outcome::Deferred, FindingCode::TokenRefused);
    (refused.verdict.token_refused, refused.latency) = (true, Duration::from_millis(5));
    world.microsoft.answers(vec![refused; 2]);
    // The first is refused while the second, with the same token, is not yet on its way.
    world.replica().tokens.takes(Duration::from_millis(10));
    let begun = world.now();
    world.accepts_many(&acme, 2, InDoubtPolicy::AtLeastOnce).await;
    world.all_are(&acme, MessageState::Sent).await;
    assert!(since(&world, begun) < 1_000, "no lane is held for a token that was refused before");
}

#[tokio::test(start_paused = true)]
async fn a_test_that_another_process_sends_takes_one_of_the_mailboxs_places() {
    let (world, acme) = acme(UNPACED).await;
    world.microsoft.answers(vec![Answer::sent(Duration::from_secs(30)); 3]);
    world.accepts_many(&acme, 3, InDoubtPolicy::AtLeastOnce).await;
    world.time_passes(Duration::from_secs(1)).await;
    let test = world.mail(&acme, 1_000);
    let (id, start_time) = (test.id, world.now());
    let start = AttemptStart {
        message: id,
        number: AttemptNumber(1),
        start_time,
        call_deadline: start_time + Duration::from_mins(1),
        settings: None,
        heard: None,
    };
    let mailbox = world.settings(&acme).values.mailbox;
    let test = TestMail { message: test, mailbox, limits: UNPACED, start };
    assert!(matches!(world.store.accept_test(test).await, Ok(Accepted::New(_))));
    world.accepts_many(&acme, 2, InDoubtPolicy::AtLeastOnce).await;
    world.time_passes(Duration::from_secs(20)).await;
    assert_eq!(world.microsoft.calls().len(), 3, "the fourth place is the test's");
    let (verdict, resolution) = (Verdict::sent(None), Resolution::End(MessageState::Sent));
    let end =
        AttemptEnd { message: id, number: AttemptNumber(1), end_time: world.now(), verdict, resolution };
    world.store.end_attempt(&acme, end).await.expect("written");
    world.time_passes(Duration::from_secs(5)).await;
    assert_eq!(world.microsoft.calls().len(), 5, "and is free again");
}

#[tokio::test(start_paused = true)]
async fn a_doubt_is_repeated_or_ends_by_the_policy_of_its_message() {
    let (world, acme) = acme(UNPACED).await;
    let doubt = || Answer::of(Outcome::InDoubt, FindingCode::OutcomeUnknown);
    world.microsoft.answers([doubt()]);
    world.accepts_many(&acme, 1, InDoubtPolicy::AtLeastOnce).await;
    world.all_are(&acme, MessageState::Sent).await;
    let sent = world.messages(&acme).await;
    assert_eq!(outcomes(&sent[0]), [Some(Outcome::InDoubt), Some(Outcome::Sent)], "its history says so");
    world.microsoft.answers([doubt()]);
    world.accepts_many(&acme, 1, InDoubtPolicy::AtMostOnce).await;
    world.until(&acme, |messages| messages[1].state == MessageState::OutcomeUnknown).await;
    assert_eq!(outcomes(&world.messages(&acme).await[1]), [Some(Outcome::InDoubt)]);
}

#[tokio::test(start_paused = true)]
async fn a_limit_stops_it_for_as_long_as_microsoft_asked() {
    let (world, acme) = acme(ALONE).await;
    let throttled = Answer::of(Outcome::Deferred, FindingCode::Throttled);
    world.microsoft.answers([throttled.asking_to_wait(Duration::from_mins(5))]);
    let begun = world.now();
    world.accepts_many(&acme, 5, InDoubtPolicy::AtLeastOnce).await;
    world.all_are(&acme, MessageState::Sent).await;
    let mut starts = starts(&world.messages(&acme).await);
    starts.sort_unstable();
    assert!(starts[1].duration_since(begun).as_secs() >= 300);
}

/// How many whole seconds lie between each call and the one before.
fn gaps(world: &World) -> Vec<i64> {
    let calls = world.microsoft.calls();
    calls.windows(2).map(|two| two[1].time.duration_since(two[0].time).as_secs()).collect()
}

#[tokio::test(start_paused = true)]
async fn the_more_often_in_a_row_it_had_to_wait_the_longer_it_waits_whichever_mail_is_tried() {
    let (world, acme) = acme(ALONE).await;
    let throttled = Answer::of(Outcome::Deferred, FindingCode::Throttled);
    world.microsoft.answers(vec![throttled.clone(); 3]);
    for number in 1..=4 {
        let urgent = NewMessage { priority: Priority::Urgent, ..world.mail(&acme, number) };
        world.accepts(urgent).await;
        world.until(&acme, |_| world.microsoft.calls().len() == number as usize).await;
        world.store.cancel(&acme, &MessageId::of_uuid(Uuid::from_u128(number))).await.expect("an answer");
    }
    assert_eq!(gaps(&world), [5, 15, 45]);
    world.microsoft.answers([throttled]);
    let first = world.microsoft.calls().len();
    world.accepts(world.mail(&acme, 9)).await;
    world.until(&acme, |messages| messages.iter().any(|m| m.attempts.len() == 2)).await;
    assert_eq!(gaps(&world)[first], 5, "one that was taken ends the row");
}

#[tokio::test(start_paused = true)]
async fn calls_that_ran_together_and_were_all_refused_are_one_wait() {
    let (world, acme) = acme(UNPACED).await;
    world.microsoft.answers(vec![Answer::of(Outcome::Deferred, FindingCode::Throttled); 8]);
    world.accepts_many(&acme, 4, InDoubtPolicy::AtLeastOnce).await;
    world.all_are(&acme, MessageState::Sent).await;
    assert_eq!(gaps(&world), [0, 0, 0, 5, 0, 0, 0, 15, 0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_message_at_fault_fails_alone() {
    let (world, acme) = acme(ALONE).await;
    world.microsoft.answers([Answer::of(Outcome::Rejected, FindingCode::RecipientInvalid)]);
    world.accepts_many(&acme, 3, InDoubtPolicy::AtLeastOnce).await;
    world.until(&acme, |messages| messages.iter().all(|message| message.state.is_end())).await;
    let states = states(&world.messages(&acme).await);
    assert_eq!(states, [MessageState::Failed, MessageState::Sent, MessageState::Sent]);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_starts_nothing_more_and_hears_out_what_is_in_flight() {
    let (world, acme) = acme(UNPACED).await;
    let slow = Answer::sent(Duration::from_secs(5));
    world.microsoft.answers(std::iter::repeat_n(slow, 20));
    world.accepts_many(&acme, 20, InDoubtPolicy::AtLeastOnce).await;
    tokio::time::advance(Duration::from_secs(1)).await;
    world.replica().shuts_down();
    while !world.replica().is_finished() {
        tokio::time::advance(Duration::from_millis(100)).await;
    }
    let states = states(&world.messages(&acme).await);
    let sent = states.iter().filter(|state| **state == MessageState::Sent).count();
    assert_eq!((sent, states.iter().filter(|state| **state == MessageState::Accepted).count()), (4, 16));
}

/// Whatever comes first, the news or the disk: at most the calls that were already on their way are made.
#[tokio::test(start_paused = true)]
async fn once_stopped_it_makes_no_call_that_had_not_left() {
    for stop in [FindingCode::Throttled, FindingCode::MailSendMissing] {
        let (world, acme) = acme(UNPACED).await;
        world.microsoft.answers(std::iter::repeat_n(Answer::of(Outcome::Deferred, stop), 4));
        let begun = world.now();
        world.accepts_many(&acme, 20, InDoubtPolicy::AtLeastOnce).await;
        world.all_are(&acme, MessageState::Sent).await;
        let calls = world.microsoft.calls();
        let early = calls.iter().filter(|call| call.time.duration_since(begun).as_secs() < 5).count();
        assert_eq!(early, 4, "{stop}: {calls:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn mended_settings_are_taken_over_at_once_though_an_earlier_call_still_hangs() {
    let (world, acme) = acme(PaceLimits { concurrency: 2, ..UNPACED }).await;
    let refused = Answer::of(Outcome::Deferred, FindingCode::MailSendMissing);
    world.microsoft.answers([refused, Answer::sent(Duration::from_secs(50))]);
    world.accepts_many(&acme, 10, InDoubtPolicy::AtLeastOnce).await;
    world.until(&acme, is_held).await;
    let mended = world.now();
    world.puts(world.settings(&acme)).await;
    world.replica().hears_of_lane(&acme);
    let sent = |messages: &[Message]| states(messages).iter().filter(|s| **s == MessageState::Sent).count();
    world.until(&acme, |messages| sent(messages) == 9).await;
    assert!(since(&world, mended) < 2_000);
    world.all_are(&acme, MessageState::Sent).await;
}

#[tokio::test(start_paused = true)]
async fn what_the_mailbox_of_before_is_asked_to_wait_for_binds_that_mailbox_and_not_the_one_of_now() {
    let (world, acme) = acme(UNPACED).await;
    let throttled = Answer::of(Outcome::Deferred, FindingCode::Throttled).after(Duration::from_secs(10));
    let asked = Duration::from_mins(5);
    world.microsoft.answers([throttled.asking_to_wait(asked), Answer::sent(Duration::from_secs(30))]);
    world.accepts_many(&acme, 2, InDoubtPolicy::AtLeastOnce).await;
    world.time_passes(Duration::from_secs(1)).await;
    let before = world.settings(&acme);
    let mut moved = before.clone();
    moved.values.mailbox = EmailAddress::parse("other@acme.example").expect("an address");
    world.puts(moved).await;
    world.replica().hears_of_lane(&acme);
    world.until(&acme, |messages| messages.iter().any(|m| m.state == MessageState::Deferred)).await;
    let (heard, third) = (world.now(), MessageId::of_uuid(Uuid::from_u128(3)));
    world.accepts(world.mail(&acme, 3)).await;
    world
        .until(&acme, |messages| messages.iter().any(|m| m.id == third && m.state == MessageState::Sent))
        .await;
    assert!(since(&world, heard) < 1_000, "{} ms", since(&world, heard));

    world.puts(before).await;
    world.replica().hears_of_lane(&acme);
    world.accepts(world.mail(&acme, 4)).await;
    world.all_are(&acme, MessageState::Sent).await;
    let calls = world.microsoft.calls();
    assert!(calls[3..].iter().all(|call| call.time >= heard + asked), "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn while_paused_it_tries_nothing_and_once_resumed_it_goes_on_at_once() {
    let (world, acme) = acme(UNPACED).await;
    world.store.pause(&acme, "a look at it").await.expect("paused");
    world.replica().hears_of_lane(&acme);
    world.accepts_many(&acme, 3, InDoubtPolicy::AtLeastOnce).await;
    world.time_passes(Duration::from_hours(1)).await;
    assert!(world.microsoft.calls().is_empty());
    let resumed = world.now();
    world.store.resume(&acme).await.expect("resumed");
    world.replica().hears_of_lane(&acme);
    world.all_are(&acme, MessageState::Sent).await;
    assert!(since(&world, resumed) < 1_000);
}

#[tokio::test(start_paused = true)]
async fn mail_with_more_recipients_than_a_day_may_have_is_set_aside_and_holds_up_no_other() {
    let (world, acme) = acme(PaceLimits { recipients_per_day: 100, ..UNPACED }).await;
    let many = NewMessage { recipient_count: 101, ..world.mail(&acme, 1) };
    world.accepts(many).await;
    world.accepts_many(&acme, 2, InDoubtPolicy::AtLeastOnce).await;
    world.until(&acme, |messages| messages[1..].iter().all(|m| m.state == MessageState::Sent)).await;
    let aside = &world.messages(&acme).await[0];
    assert_eq!(aside.state, MessageState::Deferred);
    assert_eq!(aside.finding.as_ref().map(|finding| finding.code), Some(FindingCode::DailyLimit));
}

/// One that has sent two mails, its day's limit, with a third that waits for tomorrow.
async fn spent() -> (World, ResellerId) {
    let (world, acme) = acme(UNPACED).await;
    let mut lowered = world.settings(&acme);
    lowered.values.pace.recipients_per_day = Some(2);
    world.puts(lowered).await;
    world.accepts_many(&acme, 3, InDoubtPolicy::AtLeastOnce).await;
    world.time_passes(Duration::from_mins(10)).await;
    let waits = &world.messages(&acme).await[2];
    let tomorrow = world.now() + Duration::from_hours(23);
    assert!(waits.next_attempt_time.is_some_and(|time| time > tomorrow), "{waits:?}");
    (world, acme)
}

#[tokio::test(start_paused = true)]
async fn once_its_limit_is_lifted_it_goes_on_at_once() {
    let (world, acme) = spent().await;
    let lifted = world.now();
    world.puts(world.settings(&acme)).await;
    world.replica().hears_of_lane(&acme);
    world.all_are(&acme, MessageState::Sent).await;
    assert!(since(&world, lifted) < 2_000, "{} ms", since(&world, lifted));
}

#[tokio::test(start_paused = true)]
async fn a_restart_under_other_limits_is_noticed_within_a_minute() {
    let mut world = World::scripted(PaceLimits { recipients_per_day: 2, ..UNPACED });
    let acme = world.reseller("acme").await;
    world.accepts_many(&acme, 3, InDoubtPolicy::AtLeastOnce).await;
    world.time_passes(Duration::from_mins(10)).await;
    world.replica().crashes();
    let restarted = world.now();
    world.is_configured(UNPACED);
    world.adds_replica(std::sync::Arc::new(postrider_store::memory::Kind), SignedDuration::ZERO).starts();
    world.all_are(&acme, MessageState::Sent).await;
    assert!(since(&world, restarted) < 61_000, "{} ms", since(&world, restarted));
}

/// One that waits for memory with a large mail, its first, and then has three small ones; whoever has that memory
/// is answered at the time that is given.
async fn crowded_out(pace: PaceLimits) -> (World, ResellerId, Timestamp) {
    let world = World::scripted(pace);
    let (other, acme) = (world.reseller("other").await, world.reseller("acme").await);
    world.microsoft.answers([Answer::sent(Duration::from_secs(50))]);
    world.accepts(world.mail_of(&other, 100, 12_000)).await;
    world.until(&other, |_| world.microsoft.calls().len() == 1).await;
    let freed = world.microsoft.calls()[0].time + Duration::from_secs(50);
    world.accepts(world.mail_of(&acme, 1, 12_000)).await;
    for number in 2..=4 {
        world.accepts(world.mail(&acme, number)).await;
    }
    (world, acme, freed)
}

#[tokio::test(start_paused = true)]
async fn small_mail_does_not_wait_for_the_memory_that_large_mail_waits_for() {
    let (world, acme, freed) = crowded_out(UNPACED).await;
    world.until(&acme, |messages| messages[1..].iter().all(|m| m.state == MessageState::Sent)).await;
    assert!(freed.duration_since(world.now()).as_secs() > 45);
    world.all_are(&acme, MessageState::Sent).await;
    let large = world.microsoft.calls().last().expect("a call").time;
    assert!(large.duration_since(freed).as_millis() < 500, "it goes as soon as there is room");
}

#[tokio::test(start_paused = true)]
async fn while_large_mail_waits_for_memory_it_hears_of_changes_and_ends_what_expires() {
    let (world, acme, freed) = crowded_out(UNPACED).await;
    world.until(&acme, |messages| messages[1..].iter().all(|m| m.state == MessageState::Sent)).await;
    let expire_time = world.now() + Duration::from_secs(10);
    let large = NewMessage { expire_time, ..world.mail_of(&acme, 5, 12_000) };
    world.accepts(large).await;
    world.until(&acme, |messages| messages[4].state == MessageState::Expired).await;
    assert!(freed > world.now());
    world.store.pause(&acme, "a look at it").await.expect("paused");
    world.replica().hears_of_lane(&acme);
    world.time_passes(Duration::from_mins(2)).await;
    assert_eq!(
        world.messages(&acme).await[0].state,
        MessageState::Held,
        "it is not sent though there is room"
    );
    let resumed = world.now();
    world.store.resume(&acme).await.expect("resumed");
    world.replica().hears_of_lane(&acme);
    world.until(&acme, |messages| messages[0].state == MessageState::Sent).await;
    assert!(since(&world, resumed) < 1_000);
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_holder_was_calling_counts_until_its_deadline_and_is_in_doubt_after_it() {
    let (mut world, acme) = acme(UNPACED).await;
    let hangs = Answer::sent(Duration::from_secs(50));
    world.microsoft.answers(std::iter::repeat_n(hangs, 4));
    world.accepts_many(&acme, 8, InDoubtPolicy::AtLeastOnce).await;
    world.time_passes(Duration::from_secs(1)).await;
    world.replica().crashes();
    let other = world.adds_replica(std::sync::Arc::new(postrider_store::memory::Kind), SignedDuration::ZERO);
    other.starts();
    world.time_passes(Duration::from_secs(50)).await;
    assert_eq!(world.microsoft.calls().len(), 4, "the mailbox may still be busy with them");
    world.all_are(&acme, MessageState::Sent).await;
    let messages = world.messages(&acme).await;
    assert!(messages[..4].iter().all(|m| outcomes(m) == [Some(Outcome::InDoubt), Some(Outcome::Sent)]));
    assert!(messages[4..].iter().all(|m| outcomes(m) == [Some(Outcome::Sent)]));
    assert_eq!(world.microsoft.breaches(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn when_graph_is_away_from_all_each_is_tried_little_and_all_come_back() {
    let world = World::scripted(UNPACED);
    let mut resellers = Vec::new();
    world.microsoft.is_away(true);
    for number in 0..50 {
        let reseller = world.reseller(&format!("r{number}")).await;
        world.accepts_many(&reseller, 2, InDoubtPolicy::AtLeastOnce).await;
        resellers.push(reseller);
    }
    world.time_passes(Duration::from_mins(30)).await;
    let tries = world.microsoft.calls().len();
    assert!(tries < 50 * 4 + 60, "the service as a whole backs off: {tries} calls");
    let back = world.now();
    world.microsoft.is_away(false);
    for reseller in &resellers {
        world.all_are(reseller, MessageState::Sent).await;
    }
    assert!(since(&world, back) < 4 * 60 * 1_000, "{} ms", since(&world, back));
}

/// When each of the small lanes is through, with a large one beside them and without.
async fn small_lanes_are_through(large: u128) -> i128 {
    let world = World::scripted(PACE);
    let neighbour = world.reseller("loud").await;
    world.accepts_many(&neighbour, large, InDoubtPolicy::AtLeastOnce).await;
    let begun = world.now();
    let mut small = Vec::new();
    for number in 0..99 {
        let reseller = world.reseller(&format!("quiet-{number}")).await;
        world.accepts_many(&reseller, 10, InDoubtPolicy::AtLeastOnce).await;
        small.push(reseller);
    }
    for reseller in &small {
        world.all_are(reseller, MessageState::Sent).await;
    }
    since(&world, begun)
}

#[tokio::test(start_paused = true)]
async fn a_backlog_of_one_slows_nobody_else() {
    let (alone, beside) = (small_lanes_are_through(0).await, small_lanes_are_through(20_000).await);
    assert!(beside * 10 <= alone * 11, "{alone} ms alone, {beside} ms beside 20,000");
}
