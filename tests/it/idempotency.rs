//! A `request_id` is one message, over connections, twins and restarts.

use postrider_proto::v1::{DeleteSettingsRequest, MessageState};
use postrider_testkit::{Mistake, Refusal, from_now, mail, reason};
use tonic::Code;

use crate::support::{given, mortal, ready, together};

#[tokio::test]
async fn the_same_content_again_is_the_first_message_again() {
    let service = ready().await;
    let offer = || mail("acme").about("twice").request_id("offer-1");
    let first = service.admin().tries(offer()).await.unwrap();
    assert!(!first.replayed);

    let again = service.admin().tries(offer().waiting_for_sent()).await.unwrap();

    assert!(again.replayed);
    let (first, again) = (first.message.unwrap(), again.message.unwrap());
    assert_eq!(again.message_id, first.message_id);
    assert_eq!(again.state(), MessageState::Sent, "wait_for is no part of the content");
    assert_eq!(service.microsoft().received_about("twice").await.len(), 1);
}

#[tokio::test]
async fn other_content_under_the_same_id_is_refused() {
    let service = ready().await;
    let offer = || mail("acme").request_id("offer-1");
    service.admin().sends(offer()).await;

    for other in [
        offer().about("another subject"),
        offer().to("bob@customer.example"),
        offer().labelled("team", "blue"),
        offer().at_most_once(),
        offer().with(|email| email.save_to_sent_items = Some(false)),
    ] {
        let refused = Refusal::of(&service.admin().tries(other).await.unwrap_err());
        assert_eq!(refused.kind(), (Code::AlreadyExists, "REQUEST_ID_REUSED"));
    }
    assert_eq!(service.admin().messages("acme").await.len(), 1);
}

#[tokio::test]
async fn twins_at_the_same_time_are_one_message_and_one_mail() {
    let service = ready().await;
    let connections: Vec<_> = (0..4).map(|_| service.admin().on_another_connection()).collect();

    let answers = together((0..32).map(|twin| {
        let client = connections[twin % connections.len()].clone();
        async move {
            client.tries(mail("acme").about("twins").request_id("twins").waiting_for_sent()).await.unwrap()
        }
    }))
    .await;

    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1, "one of them is the first");
    let messages: Vec<_> = answers.into_iter().map(|answer| answer.message.unwrap()).collect();
    assert!(messages.iter().all(|message| message.message_id == messages[0].message_id));
    assert!(messages.iter().all(|message| message.state() == MessageState::Sent));
    assert_eq!(service.admin().messages("acme").await.len(), 1);
    assert_eq!(service.microsoft().received_about("twins").await.len(), 1);
}

#[tokio::test]
async fn the_same_id_of_another_reseller_is_another_message() {
    let service = ready().await;
    let globex =
        postrider_proto::v1::Settings { reseller: "globex".to_owned(), ..postrider_testkit::acme_settings() };
    service.admin().puts(globex).await;

    let one = service.admin().sends(mail("acme").request_id("offer-1")).await;
    let other = service.admin().sends(mail("globex").request_id("offer-1")).await;

    assert_ne!(one.message_id, other.message_id);
}

#[tokio::test]
async fn without_an_id_each_call_is_a_message() {
    let service = ready().await;
    let one = service.admin().sends(mail("acme")).await;
    let other = service.admin().sends(mail("acme")).await;
    assert_ne!(one.message_id, other.message_id);
}

#[tokio::test]
async fn validate_only_stores_nothing_and_uses_no_id() {
    let service = ready().await;
    let checked = mail("acme").request_id("offer-1").only_validated();
    let answer = service.admin().tries(checked.clone()).await.unwrap();
    assert!(!answer.replayed);
    assert_eq!(answer.message.unwrap().message_id, "");
    assert!(service.admin().messages("acme").await.is_empty());

    let message = service.admin().sends(mail("acme").request_id("offer-1")).await;

    let known = service.admin().tries(checked.clone()).await.unwrap();
    assert!(known.replayed, "a known id with the same content answers the stored message");
    assert_eq!(known.message.unwrap().message_id, message.message_id);
    let other = service.admin().tries(checked.about("another")).await.unwrap_err();
    assert_eq!(reason(&other), "REQUEST_ID_REUSED");
}

#[tokio::test]
async fn the_id_holds_over_a_restart() {
    let world = given();
    let microsoft = world.microsoft().await;
    let mut service = mortal(&world, &microsoft).starts().await.with_acme().await;
    let offer = || mail("acme").about("again").request_id("offer-1").waiting_for_sent();
    let first = service.admin().sends(offer()).await;

    service.is_killed_and_returns().await;

    let again = service.admin().tries(offer()).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.message.unwrap().message_id, first.message_id);
    let other = service.admin().tries(offer().about("other")).await.unwrap_err();
    assert_eq!(reason(&other), "REQUEST_ID_REUSED");
    assert_eq!(microsoft.received_about("again").await.len(), 1);
}

#[tokio::test]
async fn the_id_outlives_the_settings() {
    let service = ready().await;
    let offer = || mail("acme").request_id("offer-1").waiting_for_sent();
    let first = service.admin().sends(offer()).await;
    let request = DeleteSettingsRequest { reseller: "acme".to_owned(), ..DeleteSettingsRequest::default() };
    service.admin().settings().delete_settings(request).await.unwrap();

    let again = service.admin().tries(offer()).await.unwrap();

    assert!(again.replayed);
    assert_eq!(again.message.unwrap().message_id, first.message_id);
    let new = service.admin().tries(offer().request_id("offer-2")).await.unwrap_err();
    assert_eq!(reason(&new), "SETTINGS_MISSING");
}

/// Who got COMMIT_UNKNOWN repeats the same bytes, however late.
#[tokio::test]
async fn a_repeat_after_the_messages_time_is_over_is_still_the_first_message() {
    let service = ready().await;
    service.admin().puts(Mistake::MailboxMissing.settings()).await;
    let soon = from_now(std::time::Duration::from_secs(1));
    let offer = || mail("acme").request_id("late").expiring_at(soon);
    let first = service.admin().sends(offer()).await;
    service.admin().reaches(&first, MessageState::Expired).await;

    let again = service.admin().tries(offer()).await.unwrap();

    assert!(again.replayed);
    assert_eq!(again.message.unwrap().message_id, first.message_id);
}
