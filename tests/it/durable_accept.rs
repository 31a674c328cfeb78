//! Nothing accepted is lost: a reply means that the message is on disk, however the process ends.

use std::time::Duration;

use postrider_proto::v1::{Message, MessageState};
use postrider_sandbox::seed;
use postrider_testkit::{from_now, in_time, mail};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::support::{doubts, given, mortal, together};

#[tokio::test]
async fn a_kill_right_after_the_replies_loses_nothing() {
    let world = given();
    let microsoft = world.microsoft().await;
    let mut service = mortal(&world, &microsoft).starts().await.with_acme().await;
    microsoft.plays("slow", seed::MAILBOX, json!({"milliseconds": 200})).await;

    let accepted = together((0..40).map(|number| {
        let client = service.admin().clone();
        async move { client.sends(mail("acme").about(&format!("offer {number}"))).await }
    }))
    .await;
    service.is_killed().await;
    microsoft.forgets_scenarios().await;
    service.returns().await;

    for message in &accepted {
        let sent = service.admin().reaches(message, MessageState::Sent).await;
        assert_eq!(sent.internet_message_id, message.internet_message_id);
        assert_eq!(sent.subject, message.subject);
        let copies = microsoft.copies(&sent.internet_message_id).await;
        assert!((1..=1 + doubts(&sent)).contains(&copies), "{copies} copies of {sent:#?}");
    }
}

/// The clients' own record of what was acknowledged is the witness.
#[tokio::test]
async fn a_kill_amid_many_calls_keeps_what_was_acknowledged_and_doubles_nothing() {
    let world = given();
    let microsoft = world.microsoft().await;
    let mut service = mortal(&world, &microsoft).starts().await.with_acme().await;
    let (tell, mut told) = mpsc::unbounded_channel::<Message>();
    let callers: Vec<_> = (0..8)
        .map(|caller| {
            let (client, tell) = (service.admin().on_another_connection(), tell.clone());
            tokio::spawn(async move {
                for call in 0.. {
                    let request_id = format!("{caller}-{call}");
                    match client.tries(mail("acme").about(&request_id).request_id(&request_id)).await {
                        Ok(response) => tell.send(response.message.unwrap()).unwrap(),
                        Err(_) => return request_id,
                    }
                }
                unreachable!("the calls end with the service")
            })
        })
        .collect();
    let mut acknowledged = Vec::new();
    while acknowledged.len() < 60 {
        acknowledged.push(in_time("the next reply", told.recv()).await.unwrap());
    }
    service.is_killed().await;
    let mut unanswered = Vec::new();
    for caller in callers {
        unanswered.push(caller.await.unwrap());
    }
    drop(tell);
    while let Some(message) = told.recv().await {
        acknowledged.push(message);
    }

    service.returns().await;
    for request_id in &unanswered {
        let again = mail("acme").about(request_id).request_id(request_id);
        acknowledged.push(service.admin().sends(again).await);
    }
    for message in &acknowledged {
        let sent = service.admin().reaches(message, MessageState::Sent).await;
        assert_eq!(sent.request_id, message.request_id);
    }
    let stored = service.admin().messages("acme").await;
    assert_eq!(stored.len(), acknowledged.len(), "one message for each request id");
    let received = microsoft.received().await;
    for message in &stored {
        let copies = received.iter().filter(|mail| mail.subject == message.subject).count();
        assert!((1..=1 + doubts(message)).contains(&copies), "{copies} copies of {message:#?}");
    }
}

#[tokio::test]
async fn a_scheduled_message_survives_a_kill_and_keeps_its_time() {
    let world = given();
    let microsoft = world.microsoft().await;
    let mut service = mortal(&world, &microsoft).starts().await.with_acme().await;
    let send_time = from_now(Duration::from_secs(4));

    let message = service.admin().sends(mail("acme").at(send_time)).await;
    assert_eq!(message.state(), MessageState::Scheduled);
    assert_eq!(message.send_time, Some(send_time));
    service.is_killed_and_returns().await;

    let sent = service.admin().reaches(&message, MessageState::Sent).await;
    let start = sent.attempts[0].start_time.unwrap();
    assert!(
        (start.seconds, start.nanos) >= (send_time.seconds, send_time.nanos),
        "sent at {start} and not before {send_time}"
    );
    assert_eq!(microsoft.copies(&sent.internet_message_id).await, 1);
}

/// Microsoft took the mail, and nobody heard its answer: a silent second copy would be the worst end.
#[tokio::test]
async fn a_kill_during_a_call_is_in_doubt_and_at_most_once_is_never_sent_again() {
    let world = given();
    let microsoft = world.microsoft().await;
    let mut service = mortal(&world, &microsoft).starts().await.with_acme().await;
    microsoft.plays("hang", seed::MAILBOX, json!({"times": 1, "delivered": true})).await;
    let message = service.admin().sends(mail("acme").about("hung").at_most_once()).await;
    in_time("Microsoft takes the mail", async {
        while microsoft.received_about("hung").await.is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;

    service.is_killed_and_returns().await;

    let unknown = service.admin().reaches(&message, MessageState::OutcomeUnknown).await;
    assert_eq!((unknown.attempts.len(), doubts(&unknown)), (1, 1), "{unknown:#?}");
    let next = service.admin().sends(mail("acme").waiting_for_sent()).await;
    assert_eq!(next.state(), MessageState::Sent, "the lane goes on: {next:#?}");
    assert_eq!(microsoft.copies(&unknown.internet_message_id).await, 1);
}

#[tokio::test]
async fn a_held_message_survives_a_kill_with_its_finding() {
    let world = given();
    let microsoft = world.microsoft().await;
    let mut service = mortal(&world, &microsoft).starts().await;
    service.admin().puts(postrider_testkit::Mistake::MailboxMissing.settings()).await;
    let held = service.admin().sends(mail("acme").waiting_for_sent()).await;
    assert_eq!(held.state(), MessageState::Held);

    service.is_killed_and_returns().await;

    let found = service.admin().message("acme", &held.message_id).await;
    assert_eq!(found.state(), MessageState::Held);
    assert_eq!(found.finding, held.finding);
}

#[tokio::test]
async fn sigterm_ends_calls_in_flight_and_exits_0_whatever_clients_do() {
    let world = given();
    let microsoft = world.microsoft().await;
    let mut service = mortal(&world, &microsoft).starts().await.with_acme().await;
    let silent = [
        TcpStream::connect(service.grpc()).await.unwrap(),
        TcpStream::connect(service.http()).await.unwrap(),
    ];
    microsoft.plays("slow", seed::MAILBOX, json!({"milliseconds": 1_000, "times": 1})).await;
    let message = service.admin().sends(mail("acme")).await;
    service.admin().becomes(&message, "on its way", |message| !message.attempts.is_empty()).await;

    let status = service.is_asked_to_end().await;
    drop(silent);

    assert_eq!(status.code(), Some(0), "{}", service.stderr());
    service.returns().await;
    let sent = service.admin().reaches(&message, MessageState::Sent).await;
    assert_eq!(sent.attempts.len(), 1, "the call in flight was heard out: {sent:#?}");
    assert_eq!(doubts(&sent), 0);
    assert_eq!(microsoft.copies(&sent.internet_message_id).await, 1);
}
