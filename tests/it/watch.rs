//! Watching: each change once, as it happens, over breaks of whatever kind.

use std::time::Duration;

use postrider_proto::v1::{
    Message, MessageState, PauseSendingRequest, ResumeSendingRequest, RevokeKeyRequest, Scope,
    WatchMessagesRequest,
};
use postrider_sandbox::seed;
use postrider_testkit::{Mistake, Refusal, acme_settings, from_now, mail};
use serde_json::json;
use tonic::Code;

use crate::support::{given, mortal, ready};

fn of_acme() -> WatchMessagesRequest {
    WatchMessagesRequest { reseller: "acme".to_owned(), ..WatchMessagesRequest::default() }
}

fn after(cursor: &str) -> WatchMessagesRequest {
    WatchMessagesRequest { cursor: cursor.to_owned(), ..of_acme() }
}

/// As the contract has it.
const HEARTBEAT_AT_LEAST: Duration = Duration::from_secs(15);

const FROM_ACCEPTED_TO_SENT: [MessageState; 3] =
    [MessageState::Accepted, MessageState::Sending, MessageState::Sent];

#[tokio::test]
async fn each_change_of_a_message_is_told_once_with_the_message_as_it_was() {
    let service = ready().await;
    service.admin().sends(mail("acme").about("before").waiting_for_sent()).await;
    let mut watching = service.admin().watches("acme").await;
    let sent = service.admin().sends(mail("acme").about("watched").waiting_for_sent()).await;
    let next = service.admin().sends(mail("acme").about("next")).await;

    let events = watching.events(4).await;

    assert!(events[..3].iter().all(|event| event.message_id == sent.message_id), "no snapshot: {events:#?}");
    assert_eq!(events.iter().map(Message::state).take(3).collect::<Vec<_>>(), FROM_ACCEPTED_TO_SENT);
    assert_eq!(events[0].attempts, []);
    assert!(events[1].attempts[0].end_time.is_none(), "{:#?}", events[1]);
    assert_eq!(events[2], sent);
    assert_eq!(events[3].message_id, next.message_id, "nothing comes twice");
}

#[tokio::test]
async fn whoever_is_told_nothing_of_what_happens_hears_where_one_stands_within_the_time_of_a_heartbeat() {
    let service = given().service().with("pace.messages_per_minute", "0").starts().await.with_acme().await;
    let states = vec![MessageState::Failed.into()];
    let mut watching = service.admin().watches_for(WatchMessagesRequest { states, ..of_acme() }).await;
    let before = watching.cursor.clone();
    let sending = async {
        loop {
            service.admin().sends(mail("acme").waiting_for_sent()).await;
        }
    };

    let heartbeat = tokio::time::timeout(HEARTBEAT_AT_LEAST, watching.answer());
    let heard = tokio::select! {
        heard = heartbeat => heard.expect("a heartbeat in time").unwrap(),
        never = sending => never,
    };

    assert!(heard.message.is_none() && heard.cursor != before, "{heard:?}");
}

#[tokio::test]
async fn an_attempt_that_ended_is_told_though_it_will_be_tried_again() {
    let service = ready().await;
    service.microsoft().plays("503-stale", seed::MAILBOX, json!({"times": 1})).await;
    let mut watching = service.admin().watches("acme").await;
    service.admin().sends(mail("acme")).await;
    let states = watching.states_until(MessageState::Sent).await;
    let expected = [
        MessageState::Accepted,
        MessageState::Sending,
        MessageState::Deferred,
        MessageState::Sending,
        MessageState::Sent,
    ];
    assert_eq!(states, expected);
}

#[tokio::test]
async fn a_cursor_goes_on_over_a_restart_without_gap_or_repetition() {
    let world = given();
    let microsoft = world.microsoft().await;
    let mut service = mortal(&world, &microsoft).starts().await.with_acme().await;
    let mut watching = service.admin().watches("acme").await;
    let first = service.admin().sends(mail("acme").waiting_for_sent()).await;
    assert_eq!(watching.event().await.state(), MessageState::Accepted);
    let (within, all_of_it) = (watching.cursor.clone(), service.admin().watches("acme").await.cursor);
    let unheard = service.admin().sends(mail("acme").waiting_for_sent()).await;

    service.is_killed_and_returns().await;

    let mut watching = service.admin().watches_for(after(&within)).await;
    assert_eq!(watching.cursor, within, "a heartbeat tells where one stands");
    let events = watching.events(5).await;
    let told: Vec<_> = events.iter().map(|event| (event.message_id.as_str(), event.state())).collect();
    let mut expected: Vec<_> =
        FROM_ACCEPTED_TO_SENT[1..].iter().map(|state| (first.message_id.as_str(), *state)).collect();
    expected.extend(FROM_ACCEPTED_TO_SENT.map(|state| (unheard.message_id.as_str(), state)));
    assert_eq!(told, expected);
    let mut watching = service.admin().watches_for(after(&all_of_it)).await;
    assert_eq!(watching.event().await.message_id, unheard.message_id);
}

#[tokio::test]
async fn states_and_labels_choose_what_is_told() {
    let service = ready().await;
    let of_blue = WatchMessagesRequest {
        states: vec![MessageState::Sent.into()],
        labels: [("team".to_owned(), "blue".to_owned())].into(),
        ..of_acme()
    };
    let mut watching = service.admin().watches_for(of_blue).await;
    for team in ["red", "blue", "green", "blue"] {
        service.admin().sends(mail("acme").about(team).labelled("team", team).waiting_for_sent()).await;
    }
    for event in watching.events(2).await {
        assert_eq!((event.subject.as_str(), event.state()), ("blue", MessageState::Sent));
    }
}

#[tokio::test]
async fn without_a_reseller_all_that_the_key_may_read_is_told() {
    let service = ready().await;
    for name in ["globex", "initech"] {
        let settings = postrider_proto::v1::Settings { reseller: name.to_owned(), ..acme_settings() };
        service.admin().puts(settings).await;
    }
    let (_, bound) = service.admin().with_key(&[Scope::Read], &["acme", "initech"]).await;
    let everything = WatchMessagesRequest { states: vec![MessageState::Sent.into()], ..Default::default() };
    let mut all = service.admin().watches_for(everything.clone()).await;
    let mut some = bound.watches_for(everything.clone()).await;
    for name in ["acme", "globex", "initech"] {
        service.admin().sends(mail(name).waiting_for_sent()).await;
    }
    let names =
        |events: Vec<Message>| -> Vec<String> { events.into_iter().map(|event| event.reseller).collect() };
    assert_eq!(names(all.events(2).await), ["acme", "globex"]);
    assert_eq!(names(some.events(2).await), ["acme", "initech"]);
    let mut on = service.admin().watches_for(WatchMessagesRequest { cursor: all.cursor, ..everything }).await;
    assert_eq!(on.event().await.reseller, "initech", "after the last cursor");
}

#[tokio::test]
async fn a_lane_that_is_stopped_and_freed_tells_of_each_message_that_waits() {
    let service = ready().await;
    let pause = PauseSendingRequest { reseller: "acme".to_owned(), reason: "an audit".to_owned() };
    service.admin().settings().pause_sending(pause).await.unwrap();
    let mut watching = service.admin().watches("acme").await;
    let (one, other) = (service.admin().sends(mail("acme")).await, service.admin().sends(mail("acme")).await);
    let waiting = watching.events(2).await;
    assert!(waiting.iter().all(|event| event.state() == MessageState::Held), "{waiting:#?}");
    let resume = ResumeSendingRequest { reseller: "acme".to_owned(), reason: String::new() };

    service.admin().settings().resume_sending(resume).await.unwrap();

    let mut ended = Vec::new();
    while ended.len() < 2 {
        let event = watching.event().await;
        assert_ne!(event.state(), MessageState::Held, "{event:#?}");
        if event.state() == MessageState::Sent {
            ended.push(event.message_id);
        }
    }
    ended.sort();
    let mut both = [one.message_id, other.message_id];
    both.sort();
    assert_eq!(ended, both);
}

#[tokio::test]
async fn whoever_reads_later_is_told_all_that_one_heard_who_was_there() {
    let service = ready().await;
    let mut there = service.admin().watches("acme").await;
    let start = there.cursor.clone();
    let pause = PauseSendingRequest { reseller: "acme".to_owned(), reason: "an audit".to_owned() };
    service.admin().settings().pause_sending(pause).await.unwrap();
    service.admin().sends(mail("acme")).await;
    let resume = ResumeSendingRequest { reseller: "acme".to_owned(), reason: String::new() };
    service.admin().settings().resume_sending(resume).await.unwrap();
    let heard = there.states_until(MessageState::Sent).await;
    let all = [MessageState::Held, MessageState::Accepted, MessageState::Sending, MessageState::Sent];
    assert_eq!(heard, all);

    let mut later = service.admin().watches_for(after(&start)).await;

    assert_eq!(later.states_until(MessageState::Sent).await, heard);
}

#[tokio::test]
async fn scheduled_mail_that_comes_due_while_sending_is_paused_is_told_as_held() {
    let service = ready().await;
    let pause = PauseSendingRequest { reseller: "acme".to_owned(), reason: "an audit".to_owned() };
    service.admin().settings().pause_sending(pause).await.unwrap();
    let mut watching = service.admin().watches("acme").await;

    service.admin().sends(mail("acme").at(from_now(Duration::from_secs(2)))).await;

    let states = watching.states_until(MessageState::Held).await;
    assert_eq!(states, [MessageState::Scheduled, MessageState::Held]);
}

#[tokio::test]
async fn broken_settings_are_told_with_their_finding() {
    let service = ready().await;
    service.admin().puts(Mistake::MailboxMissing.settings()).await;
    let mut watching = service.admin().watches("acme").await;
    service.admin().sends(mail("acme")).await;
    watching.states_until(MessageState::Held).await;
    service.admin().puts(acme_settings()).await;
    let states = watching.states_until(MessageState::Sent).await;
    assert!(states.contains(&MessageState::Sending), "{states:?}");
}

#[tokio::test]
async fn the_end_of_the_service_ends_the_stream_and_says_when_to_come_back() {
    let mut service = ready().await;
    let watching = service.admin().watches("acme").await;
    let end = tokio::spawn(watching.end());
    assert_eq!(service.is_asked_to_end().await.code(), Some(0));
    let refusal = Refusal::of(&end.await.unwrap());
    assert_eq!(refusal.kind(), (Code::Unavailable, "SHUTTING_DOWN"));
    assert_eq!(refusal.further, ["RetryInfo"]);
}

#[tokio::test]
async fn a_revoked_key_ends_its_streams() {
    let service = ready().await;
    let (key, reader) = service.admin().with_key(&[Scope::Read], &["acme"]).await;
    let watching = reader.watches("acme").await;
    service.admin().access().revoke_key(RevokeKeyRequest { key_id: key.key_id }).await.unwrap();
    let refusal = Refusal::of(&watching.end().await);
    assert_eq!(refusal.kind(), (Code::Unauthenticated, "UNAUTHENTICATED"));
}

#[tokio::test]
async fn a_cursor_beyond_all_that_is_kept_has_expired() {
    let service = ready().await;
    service.admin().sends(mail("acme").waiting_for_sent()).await;
    let mut other = given().service().starts().await;
    // A database that was restored from before the cursor was given does not know it either.
    let ahead = service.admin().watches("acme").await.cursor;
    let everything = || WatchMessagesRequest::default();
    let all_ahead = service.admin().watches_for(everything()).await.cursor;
    for request in [after(&ahead), WatchMessagesRequest { cursor: all_ahead, ..everything() }] {
        let watching = other.admin().watches_for(request).await;
        let refusal = Refusal::of(&watching.end().await);
        assert_eq!(refusal.kind(), (Code::OutOfRange, "CURSOR_EXPIRED"));
    }
    other.is_killed().await;
}

#[tokio::test]
async fn what_is_no_cursor_of_this_watch_is_a_field_error() {
    let service = ready().await;
    let of_one = service.admin().watches("acme").await.cursor;
    let of_all = service.admin().watches_for(WatchMessagesRequest::default()).await.cursor;
    for request in [
        after("no cursor"),
        after(&of_all),
        WatchMessagesRequest { cursor: of_one, ..WatchMessagesRequest::default() },
    ] {
        let refused = service.admin().tries_to_watch(request).await.err().unwrap();
        assert_eq!(Refusal::of(&refused).fields, ["cursor"]);
    }
}
