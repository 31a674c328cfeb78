//! Mail that waits lies sealed, by a key of its reseller's that goes with the settings.

use postrider_proto::v1::{DeleteSettingsRequest, MessageState, PauseSendingRequest, ResumeSendingRequest};
use postrider_testkit::{Postgres, Service, acme_settings, canary, mail};

use crate::support::{given, mortal};

const SUBJECT: &str = "canary of a subject that waits";
const BODY: &str = "canary of a body that waits for its lane";
const RECIPIENT: &str = "canary-of-a-recipient@customer.example";

async fn is_paused(service: &Service) {
    let request = PauseSendingRequest { reseller: "acme".to_owned(), reason: String::new() };
    service.admin().settings().pause_sending(request).await.unwrap();
}

async fn goes_on(service: &Service) {
    let request = ResumeSendingRequest { reseller: "acme".to_owned(), reason: String::new() };
    service.admin().settings().resume_sending(request).await.unwrap();
}

fn planted() -> postrider_testkit::Mail {
    mail("acme").to(RECIPIENT).about(SUBJECT).with(|email| BODY.clone_into(&mut email.text))
}

async fn deletes_settings(service: &Service) {
    let request = DeleteSettingsRequest {
        reseller: "acme".to_owned(),
        cancel_unfinished: true,
        ..DeleteSettingsRequest::default()
    };
    service.admin().settings().delete_settings(request).await.unwrap();
}

#[tokio::test]
async fn what_waits_stands_in_no_file_and_is_sent_whole_after_a_kill() {
    let world = given();
    let microsoft = world.microsoft().await;
    let mut service = mortal(&world, &microsoft).starts().await.with_acme().await;
    is_paused(&service).await;
    let waits = service.admin().sends(planted()).await;
    assert_eq!(waits.subject, SUBJECT);
    service.is_killed().await;
    for hidden in [SUBJECT, BODY, RECIPIENT] {
        assert_eq!(
            canary::files_with(hidden, service.data_dir()),
            Vec::<std::path::PathBuf>::new(),
            "{hidden}"
        );
    }

    service.returns().await;
    assert_eq!(service.admin().message("acme", &waits.message_id).await.subject, SUBJECT);
    goes_on(&service).await;
    service.admin().reaches(&waits, MessageState::Sent).await;

    let received = microsoft.received_about(SUBJECT).await;
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].recipients, [RECIPIENT]);
    assert!(canary::is_in(BODY, received[0].text().as_bytes()), "{}", received[0].text());
}

#[tokio::test]
async fn what_waits_is_sent_after_another_key_seals() {
    let world = given();
    let microsoft = world.microsoft().await;
    let mut service = mortal(&world, &microsoft).starts().await.with_acme().await;
    is_paused(&service).await;
    let waits = service.admin().sends(planted()).await;
    assert!(service.is_asked_to_end().await.success());
    let mut rekey = service.world().command();
    rekey.args(["credentials", "rekey", "--data-dir"]).arg(service.data_dir());
    let rekeyed = postrider_testkit::run(rekey, "").await.answer();
    assert!(
        rekeyed.contains("2 records are sealed by the new key"),
        "a credential and a data key: {rekeyed}"
    );

    service.returns().await;
    goes_on(&service).await;
    service.admin().reaches(&waits, MessageState::Sent).await;

    assert_eq!(service.admin().message("acme", &waits.message_id).await.subject, SUBJECT);
    assert!(canary::is_in(BODY, microsoft.received_about(SUBJECT).await[0].text().as_bytes()));
}

#[tokio::test]
async fn with_the_settings_the_subjects_of_the_history_are_gone_for_good() {
    let world = given();
    let microsoft = world.microsoft().await;
    let service = mortal(&world, &microsoft).starts().await.with_acme().await;
    let sent = service.admin().sends(planted().waiting_for_sent()).await;
    assert_eq!(service.admin().message("acme", &sent.message_id).await.subject, SUBJECT);

    deletes_settings(&service).await;
    assert_eq!(service.admin().message("acme", &sent.message_id).await.subject, "");

    service.admin().puts(acme_settings()).await;
    let next = service.admin().sends(planted().waiting_for_sent()).await;
    assert_eq!(next.state(), MessageState::Sent);
    assert_eq!(service.admin().message("acme", &next.message_id).await.subject, SUBJECT);
    assert_eq!(service.admin().message("acme", &sent.message_id).await.subject, "", "another key");
    let listed = service.admin().messages("acme").await;
    assert_eq!(listed.iter().map(|message| message.subject.as_str()).collect::<Vec<_>>(), [SUBJECT, ""]);
}

#[tokio::test]
async fn on_postgresql_it_lies_sealed_too() {
    let world = given();
    let microsoft = world.microsoft().await;
    let database = Postgres::shared().database();
    let service =
        mortal(&world, &microsoft).with("storage.url", &database.url()).starts().await.with_acme().await;
    is_paused(&service).await;
    let waits = service.admin().sends(planted()).await;
    let lies = database.sql(
        "SELECT count(*) FROM messages AS m JOIN contents AS c USING (reseller, message_id)
         WHERE m.subject NOT LIKE '%canary%' AND position('canary'::bytea in c.body) = 0",
    );
    assert_eq!(lies, "1");
    goes_on(&service).await;
    service.admin().reaches(&waits, MessageState::Sent).await;
    assert!(canary::is_in(BODY, microsoft.received_about(SUBJECT).await[0].text().as_bytes()));
}
