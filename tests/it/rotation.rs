//! A credential changes without a gap: by whoever puts it, and by another hand in Vault; and nobody learns of its end too
//! late.

use std::time::Duration;

use postrider_proto::v1::settings::Credential;
use postrider_proto::v1::{
    ClientSecret, ListSettingsRequest, MessageState, Settings, TestLevel, TestSettingsRequest,
};
use postrider_sandbox::seed;
use postrider_testkit::{
    Client, Microsoft, Proxy, Service, Vault, Weather, World, acme_settings, from_now, mail, secret, seen,
};
use reqwest::Method;
use serde_json::json;

use crate::support::{given, mortal, ready, status_code};

const SECOND: &str = "s3cOnd~value.of-the_same~app~0123456789ab";
const WRONG: &str = "wr0ng~value.that-opens_nothing~0123456789";

/// Microsoft with these secrets of the app that works.
async fn accepts(microsoft: &Microsoft, secrets: &[&str]) {
    let secrets: Vec<_> =
        secrets.iter().map(|value| json!({"id": seed::SECRET_ID, "value": value})).collect();
    let directory = json!({
        "apps": [{"client_id": seed::CLIENT_ID, "secrets": secrets}],
        "mailboxes": [{"address": seed::MAILBOX}],
    });
    microsoft.knows_directory(seed::TENANT_ID, &directory).await;
}

async fn in_vault(world: &World, watch_interval: &str) -> (Microsoft, Vault, Service) {
    let microsoft = world.microsoft().await;
    accepts(&microsoft, &[seed::SECRET, SECOND]).await;
    let vault = Vault::starts(world).await;
    let service = vault.keeps_credentials_of(mortal(world, &microsoft)).await;
    let service = service
        .with("vault.watch_interval", watch_interval)
        .with("credentials.keep_replaced", "1s")
        .starts()
        .await;
    service.admin().puts(acme_settings()).await;
    (microsoft, vault, service)
}

async fn version(client: &Client) -> String {
    client.saved_settings("acme").await.credential_info.unwrap().version
}

async fn until_version_is(client: &Client, number: &str) {
    let is_used = |version: &String| version.starts_with(number);
    seen(&format!("version {number} is used"), || version(client), is_used).await;
}

async fn sends(client: &Client) {
    let sent = client.sends(mail("acme").waiting_for_sent()).await;
    assert_eq!((sent.state(), sent.attempts.len()), (MessageState::Sent, 1), "{sent:#?}");
}

#[tokio::test]
async fn a_secret_that_another_hand_put_into_vault_is_read_before_a_send_fails() {
    let world = given();
    let (microsoft, vault, mut service) = in_vault(&world, "24h").await;
    sends(service.admin()).await;
    vault.is_written_by_hand("acme", &json!({"client_secret": SECOND})).await;
    accepts(&microsoft, &[SECOND]).await;
    sends(service.admin()).await;
    assert!(version(service.admin()).await.starts_with("1-"), "the token that was held serves on");
    service.is_killed_and_returns().await;
    sends(service.admin()).await;
    assert!(version(service.admin()).await.starts_with("2-"));
    vault.comes_to_have("acme", &[2]).await;
}

#[tokio::test]
async fn a_secret_that_another_hand_put_into_vault_is_noticed_without_a_send() {
    let world = given();
    let (_microsoft, vault, service) = in_vault(&world, "1s").await;
    let mut data = vault.secret("acme").await["data"].clone();
    data["client_secret"] = SECOND.into();
    data["expire_time"] = "2099-01-01T00:00:00Z".into();
    vault.is_written_by_hand("acme", &data).await;
    until_version_is(service.admin(), "2-").await;
    let info = service.admin().saved_settings("acme").await.credential_info.unwrap();
    assert_eq!(info.expire_time.unwrap().seconds, 4_070_908_800);
    sends(service.admin()).await;
}

#[tokio::test]
async fn a_secret_of_another_hand_that_does_not_work_leaves_the_old_one_in_use_and_says_why() {
    let world = given();
    let (_microsoft, vault, service) = in_vault(&world, "1s").await;
    vault.is_written_by_hand("acme", &json!({"client_secret": WRONG})).await;
    service.logs("credential_refused").await;
    sends(service.admin()).await;
    let saved = service.admin().saved_settings("acme").await;
    assert!(saved.credential_info.as_ref().unwrap().version.starts_with("1-"));
    assert_eq!(status_code(saved.status.as_ref()), "SECRET_WRONG");
    let reason = &saved.status.unwrap().finding.unwrap().evidence["reason"];
    assert!(reason.contains("the old one stays in use"), "{reason}");
    // And when it is mended.
    vault.is_written_by_hand("acme", &json!({"client_secret": SECOND})).await;
    until_version_is(service.admin(), "3-").await;
    assert_eq!(status_code(service.admin().saved_settings("acme").await.status.as_ref()), "");
}

#[tokio::test]
async fn what_another_hand_put_that_is_no_credential_is_told_and_the_good_one_beneath_it_is_taken() {
    let world = given();
    let (_microsoft, vault, service) = in_vault(&world, "1s").await;
    vault.is_written_by_hand("acme", &json!({"client_secret": 5})).await;
    service.logs("credential_refused").await;
    let saved = service.admin().saved_settings("acme").await;
    assert_eq!(status_code(saved.status.as_ref()), "SECRET_WRONG");
    let reason = &saved.status.unwrap().finding.unwrap().evidence["reason"];
    assert!(reason.contains("it is no credential"), "{reason}");
    sends(service.admin()).await;
    vault.is_written_by_hand("acme", &json!({"client_secret": SECOND})).await;
    vault.is_written_by_hand("acme", &json!({"client_secret": ["again"]})).await;
    until_version_is(service.admin(), "3-").await;
}

#[tokio::test]
async fn what_another_hand_wrote_last_is_what_is_told_of_whatever_was_refused_before_and_once() {
    let world = given();
    let (_microsoft, vault, service) = in_vault(&world, "1s").await;
    vault.is_written_by_hand("acme", &json!({"client_secret": WRONG})).await;
    service.logs("credential_refused").await;
    vault.is_written_by_hand("acme", &json!({"client_secret": SECOND, "expire_time": 1_827_619_200})).await;
    service.logs("it is no credential").await;
    let saved = service.admin().saved_settings("acme").await;
    let reason = &saved.status.unwrap().finding.unwrap().evidence["reason"];
    assert!(reason.contains("it is no credential"), "{reason}");
    assert_eq!(service.stderr().matches("credential_refused").count(), 2, "each once");
}

#[tokio::test]
async fn a_credential_in_use_that_is_gone_from_vault_is_told_with_the_settings_and_mended_by_a_put() {
    let world = given();
    let (_microsoft, vault, service) = in_vault(&world, "1s").await;
    vault.asks(Method::PUT, "secret/destroy/postrider/acme", &json!({"versions": [1]})).await;
    service.logs("the credential in use is lost").await;
    let saved = service.admin().saved_settings("acme").await;
    assert_eq!(status_code(saved.status.as_ref()), "CREDENTIAL_STORE_UNAVAILABLE");
    let reason = &saved.status.unwrap().finding.unwrap().evidence["reason"];
    assert!(reason.contains("save the settings with the credential again"), "{reason}");
    service.admin().puts(acme_settings()).await;
    assert_eq!(status_code(service.admin().saved_settings("acme").await.status.as_ref()), "");
    sends(service.admin()).await;
}

#[tokio::test]
async fn a_put_that_failed_costs_its_own_orphan_and_no_secret_of_another_hand() {
    let world = given();
    let microsoft = world.microsoft().await;
    accepts(&microsoft, &[seed::SECRET, SECOND]).await;
    let vault = Vault::starts(&world).await;
    let proxy = Proxy::before(vault.address()).await;
    let service = vault.keeps_credentials_of(mortal(&world, &microsoft)).await;
    let service = service
        .with("vault.address", proxy.address())
        .with("vault.timeout", "1s")
        .with("vault.watch_interval", "24h")
        .with("credentials.keep_replaced", "1s")
        .starts()
        .await;
    service.admin().puts(acme_settings()).await;
    vault.is_written_by_hand("acme", &json!({"client_secret": SECOND})).await;
    proxy.turns_for(Method::POST, "/data/", Weather::HoldsAnswers);
    let lost = service.admin().tries_to_put(Settings { credential: Some(secret(WRONG)), ..acme_settings() });
    assert!(lost.await.is_err());
    assert_eq!(vault.versions("acme").await, [1, 2, 3]);
    vault.comes_to_have("acme", &[1, 2]).await;
}

#[tokio::test]
async fn a_test_of_the_saved_settings_tests_what_another_hand_put() {
    let world = given();
    let (microsoft, vault, service) = in_vault(&world, "24h").await;
    vault.is_written_by_hand("acme", &json!({"client_secret": SECOND})).await;
    accepts(&microsoft, &[SECOND]).await;
    assert!(service.admin().tests("acme", None).await.passed);
    assert!(version(service.admin()).await.starts_with("2-"));
}

#[tokio::test]
async fn what_was_replaced_is_kept_for_a_while_and_then_destroyed() {
    let world = given();
    let microsoft = world.microsoft().await;
    accepts(&microsoft, &[seed::SECRET, SECOND]).await;
    let vault = Vault::starts(&world).await;
    let service = vault.keeps_credentials_of(mortal(&world, &microsoft)).await;
    let mut service = service.with("credentials.keep_replaced", "1h").starts().await;
    service.admin().puts(acme_settings()).await;
    service.admin().puts(Settings { credential: Some(secret(SECOND)), ..acme_settings() }).await;
    sends(service.admin()).await;
    assert_eq!(vault.versions("acme").await, [1, 2]);
    service.is_asked_to_end().await;
    let built = service.built().clone().with("credentials.keep_replaced", "1s");
    let service = built.starts().await;
    vault.comes_to_have("acme", &[2]).await;
    sends(service.admin()).await;
}

#[tokio::test]
async fn a_rotation_tries_the_new_secret_and_keeps_the_old_one_where_it_fails() {
    let world = given();
    let microsoft = world.microsoft().await;
    accepts(&microsoft, &[seed::SECRET, SECOND]).await;
    let service = mortal(&world, &microsoft).starts().await;
    service.admin().puts(acme_settings()).await;
    let before = service.admin().saved_settings("acme").await;

    let wrong =
        service.cli_reading(&["settings", "rotate", "acme", "--client-secret-file", "-"], WRONG).await;
    assert_eq!(wrong.code, 1, "{wrong:#?}");
    assert!(
        wrong.stdout.contains("SECRET_WRONG") && wrong.stderr.contains("the old one stays in use"),
        "{wrong:#?}"
    );
    assert_eq!(service.admin().saved_settings("acme").await.etag, before.etag);
    sends(service.admin()).await;

    let line = ["settings", "rotate", "acme", "--client-secret-file", "-", "--secret-expires", "2099-01-01"];
    service.cli_reading(&line, SECOND).await.answer();
    let after = service.admin().saved_settings("acme").await.credential_info.unwrap();
    assert_ne!(after.fingerprint, before.credential_info.unwrap().fingerprint);
    accepts(&microsoft, &[SECOND]).await;
    sends(service.admin()).await;

    let nothing = service.cli(&["settings", "rotate", "acme", "--cloud", "global"]).await;
    assert_eq!(nothing.code, 2, "{nothing:#?}");
}

#[tokio::test]
async fn a_candidate_is_tested_beside_the_cache_and_changes_nothing() {
    let service = ready().await;
    sends(service.admin()).await;
    let candidate = Settings { credential: Some(secret(WRONG)), ..acme_settings() };
    assert!(!gives_a_token(&service, Some(candidate)).await, "it does not read the cache");
    sends(service.admin()).await;
}

async fn gives_a_token(service: &Service, candidate: Option<Settings>) -> bool {
    let request = TestSettingsRequest {
        reseller: "acme".to_owned(),
        candidate,
        level: TestLevel::Token.into(),
        ..TestSettingsRequest::default()
    };
    service.admin().settings().test_settings(request).await.unwrap().into_inner().passed
}

/// With the very credential that is saved: its token would be found by the next send.
#[tokio::test]
async fn no_test_writes_the_cache() {
    let service = ready().await;
    assert!(gives_a_token(&service, Some(acme_settings())).await);
    assert!(gives_a_token(&service, None).await);
    sends(service.admin()).await;
    assert_eq!(fetched(&service, "ok").await, 3, "each asked for a token of its own");
}

/// The requests for a token so far that came to this.
async fn fetched(service: &Service, result: &str) -> u64 {
    let (_, page) = service.page("/metrics").await;
    let series = format!("postrider_token_fetches_total{{result=\"{result}\"}} ");
    page.lines().find_map(|line| line.strip_prefix(&series)).unwrap().parse().unwrap()
}

#[tokio::test]
async fn entra_that_asks_to_be_left_alone_is_not_asked_of_another_hands_secret_before_its_time() {
    let world = given();
    let microsoft = world.microsoft().await;
    let vault = Vault::starts(&world).await;
    let proxy = Proxy::before(vault.address()).await;
    let service = vault.keeps_credentials_of(mortal(&world, &microsoft)).await;
    let service =
        service.with("vault.address", proxy.address()).with("vault.watch_interval", "1s").starts().await;
    service.admin().puts(acme_settings()).await;
    microsoft.plays_for_directory("429-plain-text-token", seed::TENANT_ID, json!({})).await;
    vault.is_written_by_hand("acme", &json!({"client_secret": SECOND})).await;
    proxy.sees_more(6, "GET /v1/secret/metadata/").await;
    assert!(!gives_a_token(&service, None).await, "a test waits, too");
    assert_eq!(fetched(&service, "failed").await, 1);
}

fn ending_in(days: u64) -> Credential {
    let expire_time = Some(from_now(Duration::from_hours(24 * days)));
    Credential::ClientSecret(ClientSecret { value: seed::SECRET.to_owned(), expire_time })
}

#[tokio::test]
async fn an_end_that_is_known_is_told_in_settings_lists_and_the_log() {
    let mut service = ready().await;
    let admin = service.admin().clone();
    for (reseller, days) in [("soon", 10), ("later", 100)] {
        let settings =
            Settings { reseller: reseller.to_owned(), credential: Some(ending_in(days)), ..acme_settings() };
        let put = admin.puts(settings).await;
        let expected = if days < 30 { "SECRET_EXPIRES_SOON" } else { "" };
        assert_eq!(status_code(put.status.as_ref()), expected);
        assert_eq!(status_code(admin.saved_settings(reseller).await.status.as_ref()), expected);
    }
    let listed = |days: i64| {
        let expiring_within = Some(prost_types::Duration { seconds: days * 24 * 3_600, nanos: 0 });
        let request = ListSettingsRequest { expiring_within, ..ListSettingsRequest::default() };
        let admin = admin.clone();
        async move {
            let listed = admin.settings().list_settings(request).await.unwrap().into_inner().settings;
            listed.into_iter().map(|settings| settings.reseller).collect::<Vec<_>>()
        }
    };
    assert_eq!(listed(30).await, ["soon"]);
    assert_eq!(listed(200).await, ["later", "soon"]);
    let shown = service.cli(&["settings", "list", "--expiring-within", "30d"]).await.answer();
    assert!(shown.contains("soon") && shown.contains("SECRET_EXPIRES_SOON"), "{shown}");
    assert_eq!(shown.lines().count(), 2, "{shown}");

    service.is_asked_to_end().await;
    service.returns().await;
    let line = service.logs("credential_expires").await;
    assert!(line.contains("reseller=soon") && line.contains("days_left=14"), "{line}");
}
