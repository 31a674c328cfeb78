//! What a person does about mail that was not sent: cancel, retry one or many, pause and resume.

use std::time::Duration;

use postrider_proto::v1::{
    CancelMessageRequest, Message, MessageState, Pace, PauseSendingRequest, ResumeSendingRequest,
    RetryMessageRequest, RetryMessagesRequest, Settings, SettingsState,
};
use postrider_sandbox::seed;
use postrider_testkit::{Client, Mistake, Refusal, Service, acme_settings, from_now, mail};
use serde_json::json;
use tonic::{Code, Status};

use crate::support::{code, doubts, given, ready, status_code};

async fn cancels(client: &Client, message: &Message) -> Result<Message, Status> {
    let Message { reseller, message_id, .. } = message.clone();
    let response = client.mail().cancel_message(CancelMessageRequest { reseller, message_id }).await?;
    Ok(response.into_inner().message.unwrap())
}

async fn retries(client: &Client, message: &Message, accept_duplicate: bool) -> Result<Message, Status> {
    let Message { reseller, message_id, .. } = message.clone();
    let request = RetryMessageRequest { reseller, message_id, accept_duplicate };
    Ok(client.mail().retry_message(request).await?.into_inner().message.unwrap())
}

async fn retries_all(client: &Client, request: RetryMessagesRequest) -> i32 {
    let request = RetryMessagesRequest { reseller: "acme".to_owned(), ..request };
    client.mail().retry_messages(request).await.unwrap().into_inner().retried_count
}

async fn pauses(client: &Client, reason: &str) -> postrider_proto::v1::Settings {
    let request = PauseSendingRequest { reseller: "acme".to_owned(), reason: reason.to_owned() };
    client.settings().pause_sending(request).await.unwrap().into_inner().settings.unwrap()
}

async fn resumes(client: &Client) -> postrider_proto::v1::Settings {
    let request = ResumeSendingRequest { reseller: "acme".to_owned(), reason: String::new() };
    client.settings().resume_sending(request).await.unwrap().into_inner().settings.unwrap()
}

#[tokio::test]
async fn many_that_are_retried_go_in_the_order_of_their_acceptance() {
    let service = given().service().with("pace.messages_per_minute", "0").starts().await;
    let client = service.admin();
    let pace = Pace { concurrency: Some(1), ..Pace::default() };
    client.puts(Settings { pace: Some(pace), ..acme_settings() }).await;
    pauses(client, "until all are cancelled").await;
    let mut ids = Vec::new();
    for _ in 0..250 {
        let message = client.sends(mail("acme")).await;
        cancels(client, &message).await.unwrap();
        ids.push(message.message_id);
    }

    let cancelled = vec![MessageState::Cancelled.into()];
    let retried = retries_all(client, RetryMessagesRequest { states: cancelled, ..Default::default() }).await;
    assert_eq!(retried, 250);
    resumes(client).await;

    let last = client.message("acme", &ids[249]).await;
    client.becomes(&last, "sent", |message| message.state() == MessageState::Sent).await;
    let mut sent = client.messages("acme").await;
    sent.sort_by_key(|message| {
        let begun = message.attempts.first().and_then(|attempt| attempt.start_time).expect("an attempt");
        (begun.seconds, begun.nanos)
    });
    assert_eq!(sent.into_iter().map(|message| message.message_id).collect::<Vec<_>>(), ids);
}

fn is_refused_for_its_state<T: std::fmt::Debug>(answer: Result<T, Status>) {
    let refusal = Refusal::of(&answer.unwrap_err());
    assert_eq!(refusal.kind(), (Code::FailedPrecondition, "MESSAGE_STATE"));
}

/// A message that Microsoft refuses for its own fault.
async fn failed(service: &Service, mail: postrider_testkit::Mail) -> Message {
    service.microsoft().plays("413-plain", seed::MAILBOX, json!({"times": 1})).await;
    let failed = service.admin().sends(mail.waiting_for_sent()).await;
    assert_eq!(failed.state(), MessageState::Failed, "{failed:#?}");
    failed
}

/// A message of which nobody knows whether Microsoft took it.
async fn unknown(service: &Service, mail: postrider_testkit::Mail) -> Message {
    service.microsoft().plays("504-but-delivered", seed::MAILBOX, json!({"times": 1})).await;
    let unknown = service.admin().sends(mail.at_most_once().waiting_for_sent()).await;
    assert_eq!(unknown.state(), MessageState::OutcomeUnknown, "{unknown:#?}");
    unknown
}

#[tokio::test]
async fn what_waits_is_cancelled_is_never_sent_and_may_be_cancelled_again() {
    let service = ready().await;
    let client = service.admin();
    let scheduled = client.sends(mail("acme").about("later").at(from_now(Duration::from_hours(1)))).await;
    pauses(client, "").await;
    let held = client.sends(mail("acme").about("held")).await;
    for message in [&scheduled, &held] {
        let cancelled = cancels(client, message).await.unwrap();
        assert_eq!(cancelled.state(), MessageState::Cancelled);
        assert_eq!(cancelled.message_id, message.message_id);
        assert_eq!(cancels(client, message).await.unwrap(), cancelled, "again");
    }

    resumes(client).await;

    let next = client.sends(mail("acme").waiting_for_sent()).await;
    assert_eq!(next.state(), MessageState::Sent);
    assert_eq!(service.microsoft().received().await.len(), 1, "no copy of what was cancelled");
}

#[tokio::test]
async fn a_deferred_message_is_cancelled_unless_it_is_in_doubt() {
    let service = ready().await;
    let client = service.admin();
    service
        .microsoft()
        .plays("throttle-retry-after", seed::MAILBOX, json!({"retry_after": 30, "times": 1}))
        .await;
    let deferred = client.sends(mail("acme")).await;
    client.reaches(&deferred, MessageState::Deferred).await;
    assert_eq!(cancels(client, &deferred).await.unwrap().state(), MessageState::Cancelled);
    let other = ready().await;
    other.microsoft().plays("504-but-delivered", seed::MAILBOX, json!({"times": 1})).await;
    let doubtful = other.admin().sends(mail("acme")).await;
    other.admin().becomes(&doubtful, "in doubt", |message| doubts(message) == 1).await;
    is_refused_for_its_state(cancels(other.admin(), &doubtful).await);
    other.admin().reaches(&doubtful, MessageState::Sent).await;
}

#[tokio::test]
async fn what_is_sent_failed_or_on_its_way_is_not_cancelled() {
    let service = ready().await;
    let client = service.admin();
    let sent = client.sends(mail("acme").waiting_for_sent()).await;
    is_refused_for_its_state(cancels(client, &sent).await);
    let failed = failed(&service, mail("acme")).await;
    is_refused_for_its_state(cancels(client, &failed).await);
    service.microsoft().plays("slow", seed::MAILBOX, json!({"milliseconds": 3_000, "times": 1})).await;
    let flying = client.sends(mail("acme")).await;
    client.reaches(&flying, MessageState::Sending).await;
    is_refused_for_its_state(cancels(client, &flying).await);
    client.reaches(&flying, MessageState::Sent).await;
}

#[tokio::test]
async fn what_failed_is_sent_again_under_its_ids_with_its_history_and_a_fresh_expiry() {
    let service = ready().await;
    let failed = failed(&service, mail("acme").request_id("once").living(Duration::from_mins(10))).await;

    let retried = retries(service.admin(), &failed, false).await.unwrap();

    assert_eq!(retried.message_id, failed.message_id);
    let expiry = |message: &Message| message.expire_time.unwrap().seconds;
    assert!(expiry(&retried) > expiry(&failed) + 86_400, "{retried:#?}");
    let sent = service.admin().reaches(&failed, MessageState::Sent).await;
    assert_eq!((sent.attempts.len(), sent.request_id.as_str()), (2, "once"));
    assert_eq!(sent.internet_message_id, failed.internet_message_id);
    assert_eq!(service.microsoft().copies(&sent.internet_message_id).await, 1);
    is_refused_for_its_state(retries(service.admin(), &sent, true).await);
}

#[tokio::test]
async fn what_expired_or_was_cancelled_is_sent_again() {
    let service = ready().await;
    let client = service.admin();
    pauses(client, "").await;
    let cancelled = client.sends(mail("acme")).await;
    cancels(client, &cancelled).await.unwrap();
    let expired = client.sends(mail("acme").living(Duration::from_secs(1))).await;
    client.reaches(&expired, MessageState::Expired).await;
    resumes(client).await;
    for message in [&cancelled, &expired] {
        retries(client, message, false).await.unwrap();
        client.reaches(message, MessageState::Sent).await;
    }
    assert_eq!(service.microsoft().received().await.len(), 2);
}

#[tokio::test]
async fn a_deferred_message_is_tried_now() {
    let service = ready().await;
    service.microsoft().plays("503-stale", seed::MAILBOX, json!({"times": 3})).await;
    let message = service.admin().sends(mail("acme")).await;
    service.admin().becomes(&message, "tried", |message| !message.attempts.is_empty()).await;
    let deferred = service.admin().reaches(&message, MessageState::Deferred).await;
    service.microsoft().forgets_scenarios().await;

    let retried = retries(service.admin(), &deferred, false).await.unwrap();

    assert_ne!(retried.state(), MessageState::Deferred, "{retried:#?}");
    let sent = service.admin().reaches(&message, MessageState::Sent).await;
    assert_eq!(service.microsoft().copies(&sent.internet_message_id).await, 1);
}

#[tokio::test]
async fn a_doubt_is_sent_again_only_by_who_accepts_a_duplicate() {
    let service = ready().await;
    let unknown = unknown(&service, mail("acme")).await;
    is_refused_for_its_state(retries(service.admin(), &unknown, false).await);

    retries(service.admin(), &unknown, true).await.unwrap();

    let sent = service.admin().reaches(&unknown, MessageState::Sent).await;
    assert_eq!((sent.attempts.len(), doubts(&sent)), (2, 1), "the doubt stays in the history: {sent:#?}");
    assert_eq!(service.microsoft().copies(&sent.internet_message_id).await, 2);
}

#[tokio::test]
async fn many_are_sent_again_by_their_state_and_labels_and_counted() {
    let service = ready().await;
    let client = service.admin();
    let blue = failed(&service, mail("acme").labelled("team", "blue")).await;
    let red = failed(&service, mail("acme").labelled("team", "red")).await;
    let doubtful = unknown(&service, mail("acme").labelled("team", "red")).await;
    let nobodys = RetryMessagesRequest {
        labels: [("team".to_owned(), "green".to_owned())].into(),
        ..RetryMessagesRequest::default()
    };
    assert_eq!(retries_all(client, nobodys).await, 0);
    let blues = RetryMessagesRequest {
        labels: [("team".to_owned(), "blue".to_owned())].into(),
        ..RetryMessagesRequest::default()
    };
    assert_eq!(retries_all(client, blues.clone()).await, 1);
    client.reaches(&blue, MessageState::Sent).await;
    assert_eq!(retries_all(client, blues).await, 0, "it is sent");
    let states = || vec![MessageState::Failed.into(), MessageState::OutcomeUnknown.into()];
    let without_doubt = RetryMessagesRequest { states: states(), ..RetryMessagesRequest::default() };
    assert_eq!(retries_all(client, without_doubt).await, 1, "a doubt is skipped");
    client.reaches(&red, MessageState::Sent).await;
    let all =
        RetryMessagesRequest { states: states(), accept_duplicate: true, ..RetryMessagesRequest::default() };
    assert_eq!(retries_all(client, all).await, 1);
    client.reaches(&doubtful, MessageState::Sent).await;
}

/// More than are looked at in one step.
#[tokio::test]
async fn a_retry_of_many_finds_them_all() {
    let service = given().service().with("pace.messages_per_minute", "0").starts().await;
    pauses(service.admin(), "").await;
    let item = mail("acme").living(Duration::from_secs(1)).request;
    let batch = postrider_proto::v1::BatchSendMailRequest {
        reseller: "acme".to_owned(),
        requests: vec![item; 250],
        atomic: true,
    };
    service.admin().mail().batch_send_mail(batch).await.unwrap();
    for message in service.admin().messages("acme").await {
        service.admin().reaches(&message, MessageState::Expired).await;
    }
    assert_eq!(retries_all(service.admin(), RetryMessagesRequest::default()).await, 250);
    let waiting = service.admin().messages("acme").await;
    assert!(waiting.iter().all(|message| message.state() == MessageState::Held));
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let service = ready().await;
    let nobody =
        Message { reseller: "acme".to_owned(), message_id: "nothing".to_owned(), ..Message::default() };
    for refused in [
        cancels(service.admin(), &nobody).await.unwrap_err(),
        retries(service.admin(), &nobody, true).await.unwrap_err(),
    ] {
        assert_eq!(Refusal::of(&refused).kind(), (Code::NotFound, "MESSAGE_NOT_FOUND"));
    }
}

#[tokio::test]
async fn a_paused_reseller_sends_nothing_and_says_why_until_it_is_resumed() {
    let service = ready().await;
    let client = service.admin();

    let paused = pauses(client, "an audit until Friday").await;

    assert_eq!(paused.status.as_ref().unwrap().state(), SettingsState::Paused);
    assert_eq!(status_code(paused.status.as_ref()), "SENDING_PAUSED");
    let held = client.sends(mail("acme").waiting_for_sent()).await;
    assert_eq!((held.state(), code(held.finding.as_ref())), (MessageState::Held, "SENDING_PAUSED"));
    let told = held.finding.unwrap();
    assert!(format!("{told:?}").contains("an audit until Friday"), "{told:#?}");
    // Only ResumeSending ends an operator's pause.
    let put = client.puts(acme_settings()).await;
    assert_eq!(put.status.unwrap().state(), SettingsState::Paused);
    assert!(service.microsoft().received().await.is_empty());

    let resumed = resumes(client).await;

    assert_ne!(resumed.status.unwrap().state(), SettingsState::Paused);
    let sent = client.message("acme", &held.message_id).await;
    client.reaches(&sent, MessageState::Sent).await;
}

#[tokio::test]
async fn a_resume_wakes_a_lane_that_its_settings_hold() {
    let service = ready().await;
    let client = service.admin();
    client.puts(Mistake::MailboxMissing.settings()).await;
    let held = client.sends(mail("acme").waiting_for_sent()).await;
    assert_eq!(held.state(), MessageState::Held);
    // Mended at Microsoft's side, of which nobody tells us.
    let directory = json!({
        "apps": [{"client_id": seed::CLIENT_ID, "secrets": [{"id": seed::SECRET_ID, "value": seed::SECRET}]}],
        "mailboxes": [{"address": seed::MISSING_MAILBOX}],
    });
    service.microsoft().knows_directory(seed::TENANT_ID, &directory).await;

    resumes(client).await;

    client.reaches(&held, MessageState::Sent).await;
}

#[tokio::test]
async fn a_pause_that_cannot_be_is_told() {
    let service = ready().await;
    let missing = PauseSendingRequest { reseller: "globex".to_owned(), reason: String::new() };
    let refused = service.admin().settings().pause_sending(missing).await.unwrap_err();
    assert_eq!(Refusal::of(&refused).kind(), (Code::FailedPrecondition, "SETTINGS_MISSING"));
    let long = PauseSendingRequest { reseller: "acme".to_owned(), reason: "x".repeat(256) };
    let refused = service.admin().settings().pause_sending(long).await.unwrap_err();
    assert_eq!(Refusal::of(&refused).fields, ["reason"]);
}
