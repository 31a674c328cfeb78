//! Settings: what a reseller's mail is sent with, how it changes, and that the secret never comes back.

use postrider_proto::v1::{
    CredentialKind, DeleteSettingsRequest, GetSettingsRequest, ListSettingsRequest, MessageState, Pace,
    Settings, SettingsState, TestLevel, TestSettingsRequest, TestStatus,
};
use postrider_sandbox::seed;
use postrider_testkit::{Mistake, Refusal, Service, acme_settings, mail, reason, secret, violations};
use tonic::{Code, Status};

use crate::support::{ready, status_code, together};

fn globex() -> Settings {
    Settings { reseller: "globex".to_owned(), ..acme_settings() }
}

async fn deletes(service: &Service, request: DeleteSettingsRequest) -> Result<(), Status> {
    service.admin().settings().delete_settings(request).await.map(|_| ())
}

fn acme() -> DeleteSettingsRequest {
    DeleteSettingsRequest { reseller: "acme".to_owned(), ..DeleteSettingsRequest::default() }
}

#[tokio::test]
async fn the_first_put_needs_a_credential_and_later_ones_keep_it() {
    let service = ready().await;
    let without = Settings { credential: None, ..globex() };
    let refused = service.admin().tries_to_put(without.clone()).await.unwrap_err();
    assert_eq!(violations(&refused), ["settings.credential"]);

    let first = service.admin().puts(globex()).await;
    let second =
        service.admin().puts(Settings { sender_mailbox: seed::SECOND_MAILBOX.to_owned(), ..without }).await;

    assert_eq!(second.sender_mailbox, seed::SECOND_MAILBOX);
    assert_eq!(first.credential_info, second.credential_info);
    let sent = service.admin().sends(mail("globex").waiting_for_sent()).await;
    assert_eq!(sent.state(), MessageState::Sent);
}

#[tokio::test]
async fn no_reply_has_the_secret_but_what_can_be_told_of_it() {
    let service = ready().await;
    let put = service.admin().puts(globex()).await;
    let got = service.admin().saved_settings("globex").await;
    let listed =
        service.admin().settings().list_settings(ListSettingsRequest::default()).await.unwrap().into_inner();
    assert_eq!(listed.settings.len(), 2);
    for settings in listed.settings.iter().chain([&put, &got]) {
        assert_eq!(settings.credential, None);
        let info = settings.credential_info.as_ref().unwrap();
        assert_eq!(info.kind(), CredentialKind::ClientSecret);
        assert!(
            !info.fingerprint.is_empty() && !info.version.is_empty() && info.create_time.is_some(),
            "{info:?}"
        );
    }
}

#[tokio::test]
async fn an_old_etag_is_refused_and_none_is_no_check() {
    let service = ready().await;
    let first = service.admin().saved_settings("acme").await;
    let second = service.admin().puts(Settings { etag: first.etag.clone(), ..acme_settings() }).await;
    assert_ne!(first.etag, second.etag);

    let old = service
        .admin()
        .tries_to_put(Settings { etag: first.etag.clone(), ..acme_settings() })
        .await
        .unwrap_err();
    assert_eq!(Refusal::of(&old).kind(), (Code::Aborted, "ETAG_MISMATCH"));
    let deleted = deletes(&service, DeleteSettingsRequest { etag: first.etag, ..acme() }).await.unwrap_err();
    assert_eq!(reason(&deleted), "ETAG_MISMATCH");
    assert_eq!(service.admin().saved_settings("acme").await.etag, second.etag);
    service.admin().puts(acme_settings()).await;
}

#[tokio::test]
async fn what_cannot_be_parsed_is_told_field_by_field() {
    let service = ready().await;
    let wrong = Settings {
        reseller: "globex".to_owned(),
        tenant_id: "no directory".to_owned(),
        client_id: String::new(),
        credential: Some(secret("")),
        sender_mailbox: "nobody".to_owned(),
        send_as: vec!["support@acme.example".to_owned(), "not an address".to_owned()],
        pace: Some(Pace { concurrency: Some(5), ..Pace::default() }),
        cloud: 99,
        ..Settings::default()
    };
    let refused = service.admin().tries_to_put(wrong).await.unwrap_err();
    let mut fields = violations(&refused);
    fields.sort();
    assert_eq!(
        fields,
        [
            "settings.client_id",
            "settings.client_secret.value",
            "settings.cloud",
            "settings.pace.concurrency",
            "settings.send_as[1]",
            "settings.sender_mailbox",
            "settings.tenant_id",
        ]
    );
    let request = GetSettingsRequest { reseller: "globex".to_owned() };
    let missing = service.admin().settings().get_settings(request).await.unwrap_err();
    assert_eq!(
        Refusal::of(&missing).kind(),
        (Code::FailedPrecondition, "SETTINGS_MISSING"),
        "nothing was saved"
    );
}

#[tokio::test]
async fn a_verified_domain_stands_for_the_directory() {
    let service = ready().await;
    service.admin().puts(Settings { tenant_id: seed::DOMAIN.to_owned(), ..globex() }).await;
    let sent = service.admin().sends(mail("globex").waiting_for_sent()).await;
    assert_eq!(sent.state(), MessageState::Sent);
}

#[tokio::test]
async fn a_secrets_id_is_saved_and_told_at_once() {
    let service = ready().await;
    let put = service.admin().puts(Mistake::SecretsId.settings()).await;
    assert_eq!(status_code(put.status.as_ref()), "SECRET_IS_ID");
    let got = service.admin().saved_settings("acme").await;
    assert_eq!(status_code(got.status.as_ref()), "SECRET_IS_ID");
}

#[tokio::test]
async fn settings_are_untested_until_a_test_or_a_mail_shows_that_they_work() {
    let service = ready().await;
    let state = |settings: Settings| settings.status.unwrap().state();
    assert_eq!(state(service.admin().puts(globex()).await), SettingsState::Untested);
    assert!(service.admin().tests("globex", None).await.passed);
    assert_eq!(state(service.admin().saved_settings("globex").await), SettingsState::Ready);
    let listed = |status: SettingsState| {
        let request = ListSettingsRequest { status: status.into(), ..ListSettingsRequest::default() };
        let client = service.admin().clone();
        async move {
            let listed = client.settings().list_settings(request).await.unwrap().into_inner().settings;
            listed.into_iter().map(|settings| settings.reseller).collect::<Vec<_>>()
        }
    };
    assert_eq!(listed(SettingsState::Ready).await, ["globex"]);
    assert_eq!(listed(SettingsState::Untested).await, ["acme"]);
    assert!(listed(SettingsState::Paused).await.is_empty());
}

#[tokio::test]
async fn unfinished_messages_stand_in_the_way_of_a_delete_unless_they_are_cancelled() {
    let service = ready().await;
    service.admin().puts(Mistake::MailboxMissing.settings()).await;
    let held = service.admin().sends(mail("acme").waiting_for_sent()).await;
    let scheduled = service
        .admin()
        .sends(mail("acme").at(postrider_testkit::from_now(std::time::Duration::from_hours(1))))
        .await;

    let refused = deletes(&service, acme()).await.unwrap_err();
    assert_eq!(Refusal::of(&refused).kind(), (Code::FailedPrecondition, "MESSAGES_UNFINISHED"));
    assert_eq!(service.admin().message("acme", &held.message_id).await.state(), MessageState::Held);
    deletes(&service, DeleteSettingsRequest { cancel_unfinished: true, ..acme() }).await.unwrap();

    for message in [&held, &scheduled] {
        let left = service.admin().message("acme", &message.message_id).await;
        assert_eq!(left.state(), MessageState::Cancelled, "the history stays");
    }
    assert!(service.microsoft().received().await.is_empty());
}

#[tokio::test]
async fn what_needs_settings_says_that_they_are_missing() {
    let service = ready().await;
    service.admin().sends(mail("acme").waiting_for_sent()).await;
    deletes(&service, acme()).await.unwrap();

    let send = service.admin().tries(mail("acme")).await.unwrap_err();
    let get = GetSettingsRequest { reseller: "acme".to_owned() };
    let get = service.admin().settings().get_settings(get).await.unwrap_err();
    let delete = deletes(&service, acme()).await.unwrap_err();
    let test = TestSettingsRequest { reseller: "acme".to_owned(), ..TestSettingsRequest::default() };
    let test = service.admin().settings().test_settings(test).await.unwrap_err();
    for refused in [send, get, delete, test] {
        let refused = Refusal::of(&refused);
        assert_eq!(refused.kind(), (Code::FailedPrecondition, "SETTINGS_MISSING"));
        assert!(refused.further.contains(&"PreconditionFailure".to_owned()), "{refused:#?}");
    }
    assert_eq!(service.admin().messages("acme").await.len(), 1, "reading messages never needs settings");
    let again = service.admin().puts(acme_settings()).await;
    assert!(!again.etag.is_empty());
    let sent = service.admin().sends(mail("acme").waiting_for_sent()).await;
    assert_eq!(sent.state(), MessageState::Sent);
}

#[tokio::test]
async fn usage_counts_the_queue_and_the_days_recipients() {
    let service = ready().await;
    let crowd = mail("acme").waiting_for_sent().with(|email| {
        email.cc = vec![postrider_testkit::address("carl@customer.example")];
    });
    service.admin().sends(crowd).await;
    service.admin().puts(Mistake::MailboxMissing.settings()).await;
    service.admin().sends(mail("acme").waiting_for_sent()).await;
    let usage = service.admin().saved_settings("acme").await.usage.unwrap();
    assert_eq!((usage.recipients_last_day, usage.queued_messages), (2, 1));
}

#[tokio::test]
async fn of_two_puts_with_one_etag_one_wins() {
    let service = ready().await;
    let etag = service.admin().saved_settings("acme").await.etag;
    let puts = together((0..8).map(|_| {
        let client = service.admin().on_another_connection();
        let settings = Settings { etag: etag.clone(), ..acme_settings() };
        async move { client.tries_to_put(settings).await }
    }))
    .await;
    assert_eq!(puts.iter().filter(|put| put.is_ok()).count(), 1);
    let refused = puts.iter().filter_map(|put| put.as_ref().err());
    assert!(refused.map(reason).all(|reason| reason == "ETAG_MISMATCH"));
}

#[tokio::test]
async fn a_test_up_to_the_token_sends_nothing() {
    let service = ready().await;
    let request = TestSettingsRequest {
        reseller: "acme".to_owned(),
        level: TestLevel::Token.into(),
        ..TestSettingsRequest::default()
    };
    let tested = service.admin().settings().test_settings(request).await.unwrap().into_inner();
    assert!(tested.passed, "{tested:#?}");
    assert_eq!(tested.steps.len(), 5);
    assert_eq!(tested.steps[4].status(), TestStatus::Skipped);
    assert_eq!(tested.message_id, "");
    assert!(service.microsoft().received().await.is_empty());
    let state = service.admin().saved_settings("acme").await.status.unwrap().state();
    assert_eq!(state, SettingsState::Untested, "only a mail shows that they work");
}

/// One changes the secret while others, who name no etag, change something else.
#[tokio::test]
async fn a_put_that_keeps_the_credential_never_brings_back_an_old_one() {
    let service = ready().await;
    let puts = (0..16).map(|n| {
        let client = service.admin().on_another_connection();
        let credential = (n == 7).then(|| secret("another~value"));
        async move { client.puts(Settings { credential, ..acme_settings() }).await }
    });
    let put = together(puts).await.remove(7);
    let saved = service.admin().saved_settings("acme").await;
    assert_eq!(saved.credential_info.unwrap().version, put.credential_info.unwrap().version);
}
