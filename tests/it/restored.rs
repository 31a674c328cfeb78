//! After a restore from a backup nothing is sent again in silence: what waits in it may have arrived since it was made.

use std::path::Path;
use std::time::Duration;

use postrider_proto::v1::{MessageState, PauseSendingRequest, ResumeSendingRequest, WatchMessagesRequest};
use postrider_testkit::{Refusal, from_now, mail};
use tonic::Code;

use crate::support::{code, doubts, given, mortal};

fn copied(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for file in
        std::fs::read_dir(from).unwrap().map(|file| file.unwrap().path()).filter(|file| file.is_file())
    {
        std::fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
    }
}

#[tokio::test]
async fn what_waits_in_a_backup_is_in_doubt_whatever_its_policy_and_what_is_for_later_waits_on() {
    let world = given();
    let microsoft = world.microsoft().await;
    let mut service = mortal(&world, &microsoft).starts().await.with_acme().await;
    let (admin, reseller) = (service.admin().clone(), "acme".to_owned());
    admin
        .settings()
        .pause_sending(PauseSendingRequest { reseller: reseller.clone(), reason: "a backup".to_owned() })
        .await
        .unwrap();
    let waiting = admin.sends(mail("acme")).await;
    let careful = admin.sends(mail("acme").at_most_once()).await;
    let later = admin.sends(mail("acme").at(from_now(Duration::from_hours(1)))).await;
    assert!(service.is_asked_to_end().await.success());
    let backup = world.path().join("backup");
    copied(service.data_dir(), &backup);

    service.returns().await;
    let resume = ResumeSendingRequest { reseller, reason: String::new() };
    service.admin().settings().resume_sending(resume.clone()).await.unwrap();
    for message in [&waiting, &careful] {
        service.admin().reaches(message, MessageState::Sent).await;
    }
    assert!(service.is_asked_to_end().await.success());

    let restored = mortal(&world, &microsoft).in_data_dir(&backup).with_argument("--restored").starts().await;
    restored.admin().settings().resume_sending(resume).await.unwrap();
    for message in [&waiting, &careful] {
        let found = restored.admin().message("acme", &message.message_id).await;
        assert_eq!((found.state(), doubts(&found)), (MessageState::OutcomeUnknown, 1), "{found:#?}");
        assert_eq!(code(found.finding.as_ref()), "OUTCOME_UNKNOWN");
        assert!(found.finding.unwrap().evidence["reason"].contains("backup"));
        assert_eq!(microsoft.copies(&message.internet_message_id).await, 1);
    }
    let later = restored.admin().message("acme", &later.message_id).await;
    assert_eq!((later.state(), later.attempts.len()), (MessageState::Scheduled, 0));
    let fresh = restored.admin().sends(mail("acme").waiting_for_sent()).await;
    assert_eq!(fresh.state(), MessageState::Sent, "what comes after it is sent");
}

#[tokio::test]
async fn a_cursor_of_before_has_expired_also_once_other_events_have_its_numbers() {
    let (world, watch) = (given(), |reseller: &str, cursor: &str| WatchMessagesRequest {
        reseller: reseller.to_owned(),
        cursor: cursor.to_owned(),
        ..WatchMessagesRequest::default()
    });
    let microsoft = world.microsoft().await;
    let mut service = mortal(&world, &microsoft).starts().await.with_acme().await;
    service.admin().sends(mail("acme").waiting_for_sent()).await;
    let early = service.admin().watches("acme").await.cursor;
    assert!(service.is_asked_to_end().await.success());
    let backup = world.path().join("backup");
    copied(service.data_dir(), &backup);
    service.returns().await;
    service.admin().watches_for(watch("acme", &early)).await;
    service.admin().sends(mail("acme").waiting_for_sent()).await;
    let of_one = service.admin().watches("acme").await.cursor;
    let of_all = service.admin().watches_for(watch("", "")).await.cursor;
    assert!(service.is_asked_to_end().await.success());

    let restored = mortal(&world, &microsoft).in_data_dir(&backup).with_argument("--restored").starts().await;
    for _ in 0..3 {
        restored.admin().sends(mail("acme").waiting_for_sent()).await;
    }
    for (reseller, cursor) in [("acme", &early), ("acme", &of_one), ("", &of_all)] {
        let refused = restored.admin().tries_to_watch(watch(reseller, cursor)).await.err().unwrap();
        assert_eq!(Refusal::of(&refused).kind(), (Code::OutOfRange, "CURSOR_EXPIRED"), "{reseller:?}");
    }
    let fresh = restored.admin().watches("acme").await.cursor;
    restored.admin().watches_for(watch("acme", &fresh)).await;
}
