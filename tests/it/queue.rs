//! The queue: it has bounds that are answers, and times that are kept.

use std::time::Duration;

use postrider_proto::v1::batch_send_mail_result::Result as Of;
use postrider_proto::v1::{
    BatchSendMailRequest, CancelMessageRequest, Message, MessageState, PauseSendingRequest,
    ResumeSendingRequest, RetryMessageRequest, RetryMessagesRequest,
};
use postrider_sandbox::seed;
use postrider_testkit::{Client, Mail, Refusal, Service, acme_settings, from_now, mail, reason};
use serde_json::json;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::support::{given, ready};

/// Beside `acme`, `globex` may send, and neither does.
async fn still(limits: &[(&str, &str)]) -> Service {
    let mut service = given().service();
    for (key, value) in limits {
        service = service.with(&format!("limits.{key}"), value);
    }
    let service = service.starts().await;
    let globex = postrider_proto::v1::Settings { reseller: "globex".to_owned(), ..acme_settings() };
    service.admin().puts(globex).await;
    for reseller in ["acme", "globex"] {
        let pause = PauseSendingRequest { reseller: reseller.to_owned(), reason: String::new() };
        service.admin().settings().pause_sending(pause).await.unwrap();
    }
    service
}

async fn goes_on(client: &Client, reseller: &str) {
    let resume = ResumeSendingRequest { reseller: reseller.to_owned(), reason: String::new() };
    client.settings().resume_sending(resume).await.unwrap();
}

fn is_full(status: &Status, subject: &str) {
    let refusal = Refusal::of(status);
    assert_eq!(refusal.kind(), (Code::ResourceExhausted, "QUEUE_FULL"));
    let details = status.get_error_details();
    assert_eq!(details.quota_failure().unwrap().violations[0].subject, subject);
    assert!(details.retry_info().unwrap().retry_delay.is_some_and(|delay| !delay.is_zero()));
}

#[tokio::test]
async fn a_resellers_queue_has_a_bound_of_its_own() {
    let service = still(&[("queued_messages_per_reseller", "2")]).await;
    let client = service.admin();
    let first = client.sends(mail("acme").request_id("first")).await;
    client.sends(mail("acme")).await;

    is_full(&client.tries(mail("acme")).await.unwrap_err(), "resellers/acme");

    is_full(&client.tries(mail("acme").only_validated()).await.unwrap_err(), "resellers/acme");
    let again = client.tries(mail("acme").request_id("first")).await.unwrap();
    assert!(again.replayed, "a replay costs no place");
    client.sends(mail("globex")).await;
    goes_on(client, "acme").await;
    client.reaches(&first, MessageState::Sent).await;
    client.sends(mail("acme")).await;
}

#[tokio::test]
async fn the_whole_queue_has_a_bound_and_makes_room_again() {
    let service = still(&[("queued_messages", "2")]).await;
    let client = service.admin();
    let first = client.sends(mail("acme")).await;
    client.sends(mail("globex")).await;

    is_full(&client.tries(mail("globex")).await.unwrap_err(), "queue");

    goes_on(client, "acme").await;
    client.reaches(&first, MessageState::Sent).await;
    postrider_testkit::in_time("there is room", async {
        while let Err(status) = client.tries(mail("globex")).await {
            assert_eq!(reason(&status), "QUEUE_FULL");
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_retried_takes_a_place_in_the_whole_queue() {
    let service = still(&[("queued_messages", "2")]).await;
    let client = service.admin();
    let cancelled = client.sends(mail("acme")).await;
    cancels(client, &cancelled).await;
    let waits = in_a_place(client, mail("globex")).await;
    in_a_place(client, mail("globex")).await;

    is_full(&retries_all(client).await.unwrap_err(), "queue");
    let one = RetryMessageRequest {
        reseller: "acme".to_owned(),
        message_id: cancelled.message_id.clone(),
        accept_duplicate: false,
    };
    is_full(&client.mail().retry_message(one).await.unwrap_err(), "queue");

    cancels(client, &waits).await;
    postrider_testkit::in_time("there is room", async {
        loop {
            match retries_all(client).await {
                Ok(retried) => return assert_eq!(retried, 1),
                Err(status) => assert_eq!(reason(&status), "QUEUE_FULL"),
            }
        }
    })
    .await;
}

#[tokio::test]
async fn of_many_that_are_retried_as_many_are_as_there_is_room_for() {
    let service = still(&[("queued_messages", "3")]).await;
    let client = service.admin();
    let mut cancelled = Vec::new();
    for _ in 0..3 {
        cancelled.push(client.sends(mail("acme")).await);
    }
    for message in &cancelled {
        cancels(client, message).await;
    }
    in_a_place(client, mail("globex")).await;

    is_full(&retries_all(client).await.unwrap_err(), "queue");

    let mut waiting = 0;
    for message in &cancelled {
        let now = client.message("acme", &message.message_id).await;
        waiting += usize::from(now.state() == MessageState::Held);
    }
    assert_eq!(waiting, 2);
}

#[tokio::test]
async fn what_is_only_validated_is_held_to_each_bound_of_the_queue() {
    for (limit, most, subject) in [
        ("queued_messages", "1", "queue"),
        ("queued_bytes_per_reseller", "10", "resellers/acme"),
        ("queued_bytes", "10", "queue"),
    ] {
        let service = still(&[(limit, most)]).await;
        if limit == "queued_messages" {
            service.admin().sends(mail("globex")).await;
        }
        is_full(&service.admin().tries(mail("acme").only_validated()).await.unwrap_err(), subject);
        is_full(&service.admin().tries(mail("acme")).await.unwrap_err(), subject);
    }
}

async fn cancels(client: &Client, message: &Message) {
    let (reseller, message_id) = (message.reseller.clone(), message.message_id.clone());
    client.mail().cancel_message(CancelMessageRequest { reseller, message_id }).await.unwrap();
}

/// How many of `acme` that were cancelled.
async fn retries_all(client: &Client) -> Result<i32, Status> {
    let request = RetryMessagesRequest {
        reseller: "acme".to_owned(),
        states: vec![MessageState::Cancelled.into()],
        ..RetryMessagesRequest::default()
    };
    Ok(client.mail().retry_messages(request).await?.into_inner().retried_count)
}

/// Accepted as soon as there is a place.
async fn in_a_place(client: &Client, mail: Mail) -> Message {
    postrider_testkit::in_time("there is room", async {
        loop {
            match client.tries(mail.clone()).await {
                Ok(response) => return response.message.unwrap(),
                Err(status) => assert_eq!(reason(&status), "QUEUE_FULL"),
            }
        }
    })
    .await
}

#[tokio::test]
async fn bytes_are_bounded_as_messages_are() {
    let service = still(&[("queued_bytes_per_reseller", "100000"), ("queued_bytes", "150000")]).await;
    let client = service.admin();
    let large = |reseller: &str| mail(reseller).with(|email| email.text = "x".repeat(60_000));
    client.sends(large("acme")).await;
    is_full(&client.tries(large("acme")).await.unwrap_err(), "resellers/acme");
    client.sends(mail("acme")).await;
    client.sends(large("globex")).await;
    is_full(
        &client.tries(mail("globex").with(|email| email.text = "x".repeat(39_000))).await.unwrap_err(),
        "queue",
    );
}

#[tokio::test]
async fn a_batch_takes_the_places_there_are_or_none() {
    let service = still(&[("queued_messages_per_reseller", "2")]).await;
    let batch = |atomic| BatchSendMailRequest {
        reseller: "acme".to_owned(),
        requests: vec![mail("acme").request; 3],
        atomic,
    };
    is_full(&service.admin().mail().batch_send_mail(batch(true)).await.unwrap_err(), "resellers/acme");
    assert!(service.admin().messages("acme").await.is_empty());
    let results = service.admin().mail().batch_send_mail(batch(false)).await.unwrap().into_inner().results;
    let refused: Vec<_> = results
        .iter()
        .filter_map(|result| match &result.result {
            Some(Of::Status(status)) => Some(Code::from(status.code)),
            _ => None,
        })
        .collect();
    assert_eq!(refused, [Code::ResourceExhausted]);
}

#[tokio::test]
async fn mail_for_later_takes_a_place_tells_its_time_and_goes_then() {
    let service = ready().await;
    let send_time = from_now(Duration::from_secs(3));
    let later = service.admin().sends(mail("acme").about("later").at(send_time)).await;
    assert_eq!(later.state(), MessageState::Scheduled);
    assert_eq!(later.next_attempt_time, Some(send_time), "it tells when it is likely to go");
    let settings = service.admin().saved_settings("acme").await;
    assert_eq!(settings.usage.unwrap().queued_messages, 1);
    let at_once = service.admin().sends(mail("acme").waiting_for_sent()).await;
    assert_eq!(at_once.state(), MessageState::Sent, "mail that is due does not wait for it");
    let sent = service.admin().reaches(&later, MessageState::Sent).await;
    let start = sent.attempts[0].start_time.unwrap();
    assert!((start.seconds, start.nanos) >= (send_time.seconds, send_time.nanos));
}

#[tokio::test]
async fn a_time_in_the_past_is_now() {
    let service = ready().await;
    let past = prost_types::Timestamp { seconds: 1_600_000_000, nanos: 0 };
    let message = service.admin().sends(mail("acme").at(past)).await;
    service.admin().reaches(&message, MessageState::Sent).await;
}

#[tokio::test]
async fn a_message_whose_lane_waits_beyond_its_time_expires_and_was_never_sent() {
    let service = ready().await;
    service.microsoft().plays("throttle-retry-after", seed::MAILBOX, json!({"retry_after": 6})).await;
    let message = service.admin().sends(mail("acme").living(Duration::from_secs(2))).await;
    let expired = service.admin().reaches(&message, MessageState::Expired).await;
    assert!(expired.attempts.len() <= 1, "{expired:#?}");
    assert_eq!(service.microsoft().breaches().await, []);
    assert!(service.microsoft().received().await.is_empty());
}

#[tokio::test]
async fn a_wait_for_sent_without_a_deadline_ends_after_half_a_minute_with_the_state_so_far() {
    let service = ready().await;
    service.microsoft().plays("throttle-retry-after", seed::MAILBOX, json!({"retry_after": 60})).await;
    let so_far = service.admin().sends(mail("acme").waiting_for_sent()).await;
    assert_eq!(so_far.state(), MessageState::Deferred);
    assert!(so_far.next_attempt_time.is_some(), "{so_far:#?}");
}
