//! Certificates and federated assertions: whatever their file, they get a token, and what is wrong with them is named.

use std::path::PathBuf;

use data_encoding::BASE64URL_NOPAD;
use postrider_proto::v1::certificate::Content;
use postrider_proto::v1::settings::Credential;
use postrider_proto::v1::{
    Certificate, CredentialKind, FederatedCredential, MessageState, Scope, Settings, TestStatus,
};
use postrider_sandbox::seed::{CLIENT_ID, MAILBOX, TENANT_ID};
use postrider_testkit::{Microsoft, Refusal, Service, World, acme_settings, from_now, mail};
use serde_json::{Value, json};
use tonic::Code;

use crate::support::{code, given, mortal};

const PASSPHRASE: &str = "correct-horse";
const ISSUER: &str = "https://kubernetes.example";
const SUBJECT: &str = "system:serviceaccount:mail:postrider";

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("crates/microsoft/tests/certificates").join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(fixture(name)).unwrap()
}

async fn knows_app(microsoft: &Microsoft, app: Value) {
    let mut app = app;
    app["client_id"] = json!(CLIENT_ID);
    let directory = json!({"apps": [app], "mailboxes": [{"address": MAILBOX}]});
    microsoft.knows_directory(TENANT_ID, &directory).await;
}

async fn with_certificate(world: &World) -> (Service, Microsoft) {
    let microsoft = world.microsoft().await;
    knows_app(&microsoft, json!({"certificates": [text("leaf.pem")]})).await;
    (mortal(world, &microsoft).starts().await, microsoft)
}

fn settings(credential: Credential) -> Settings {
    Settings { credential: Some(credential), ..acme_settings() }
}

fn pem(name: &str, send_chain: bool) -> Credential {
    let content = Some(Content::Pem(text(name)));
    Credential::Certificate(Certificate { content, passphrase: PASSPHRASE.to_owned(), send_chain })
}

fn pfx(name: &str, passphrase: &str) -> Credential {
    let content = Some(Content::Pfx(std::fs::read(fixture(name)).unwrap().into()));
    Credential::Certificate(Certificate { content, passphrase: passphrase.to_owned(), send_chain: false })
}

fn federated(source: &str) -> Credential {
    Credential::Federated(FederatedCredential { source: source.to_owned() })
}

async fn sends(service: &Service) -> MessageState {
    service.admin().sends(mail("acme").waiting_for_sent()).await.state()
}

#[tokio::test]
async fn a_certificate_sends_whatever_file_it_came_in_and_stays_over_a_restart() {
    let world = given();
    let (mut service, microsoft) = with_certificate(&world).await;
    let passphrase = world.file("passphrase", PASSPHRASE);
    for name in ["chain.pem", "encrypted.pem", "aes256.pfx", "windows.pfx", "java.p12"] {
        let file = fixture(name);
        let put = service
            .cli(&[
                "settings",
                "put",
                "acme",
                "--tenant-id",
                TENANT_ID,
                "--client-id",
                CLIENT_ID,
                "--sender-mailbox",
                MAILBOX,
                "--certificate-file",
                file.to_str().unwrap(),
                "--passphrase-file",
                passphrase.to_str().unwrap(),
            ])
            .await;
        put.answer();
        assert_eq!(sends(&service).await, MessageState::Sent, "{name}");
    }
    service.is_killed_and_returns().await;
    assert_eq!(sends(&service).await, MessageState::Sent);
    let info = service.admin().saved_settings("acme").await.credential_info.unwrap();
    assert_eq!(info.kind(), CredentialKind::Certificate);
    assert!(info.expire_time.unwrap().seconds > from_now(std::time::Duration::from_hours(24)).seconds);
    assert_eq!(microsoft.breaches().await, []);
}

#[tokio::test]
async fn a_file_that_is_no_certificate_with_its_key_is_told_field_by_field() {
    let service = crate::support::ready().await;
    for (credential, field) in [
        (pem("leaf.pem", false), "certificate.pem"),
        (pem("ec.pem", false), "certificate.pem"),
        (pem("foreign.pem", false), "certificate.pem"),
        (pem("encrypted_old.pem", false), "certificate.pem"),
        (pem("encrypted_slow.pem", false), "certificate.pem"),
        (pfx("aes256.pfx", "wrong"), "certificate.passphrase"),
        (pfx("slow.pfx", PASSPHRASE), "certificate.pfx"),
        (pfx("leaf.pem", PASSPHRASE), "certificate.pfx"),
    ] {
        let status = service.admin().tries_to_put(settings(credential)).await.unwrap_err();
        let refused = Refusal::of(&status);
        assert_eq!(refused.code, Code::InvalidArgument, "{refused:#?}");
        assert!(refused.fields[0].starts_with(&format!("settings.{field}")), "{field}: {refused:#?}");
        assert!(!format!("{refused:?}").contains(PASSPHRASE));
    }
    let tested = service.admin().tests("acme", Some(settings(pfx("aes256.pfx", "wrong")))).await;
    assert_eq!(tested.steps[0].findings[0].code, "CERTIFICATE_WRONG", "{tested:#?}");
}

#[tokio::test]
async fn a_chain_is_sent_only_where_it_is_asked_for() {
    let world = given();
    let microsoft = world.microsoft().await;
    knows_app(&microsoft, json!({"trusted_subjects": ["mailer.acme.example"]})).await;
    let service = mortal(&world, &microsoft).starts().await;
    service.admin().puts(settings(pem("chain.pem", false))).await;
    let held = service.admin().sends(mail("acme").waiting_for_sent()).await;
    assert_eq!((held.state(), code(held.finding.as_ref())), (MessageState::Held, "CERTIFICATE_WRONG"));
    service.admin().puts(settings(pem("chain.pem", true))).await;
    service.admin().reaches(&held, MessageState::Sent).await;
}

#[tokio::test]
async fn a_certificate_that_was_never_uploaded_is_named() {
    let world = given();
    let microsoft = world.microsoft().await;
    let service = mortal(&world, &microsoft).starts().await;
    let tested = service.admin().tests("acme", Some(settings(pem("chain.pem", false)))).await;
    let failed = tested.steps.iter().find(|step| step.status() == TestStatus::Failed).unwrap();
    assert_eq!(failed.findings[0].code, "CERTIFICATE_WRONG", "{tested:#?}");
    assert!(failed.findings[0].evidence["error_code"].contains("700027"));
}

#[tokio::test]
async fn a_clock_that_is_off_is_made_up_for_by_entras_own() {
    let world = given();
    let (service, microsoft) = with_certificate(&world).await;
    microsoft.plays("clock-skew", MAILBOX, json!({"seconds": -3_600})).await;
    service.admin().puts(settings(pem("chain.pem", false))).await;
    assert_eq!(sends(&service).await, MessageState::Sent);
}

#[tokio::test]
async fn a_service_sends_over_tls_to_a_microsoft_it_was_told_to_trust() {
    let world = given();
    let microsoft = world.microsoft_over_tls().await;
    knows_app(&microsoft, json!({"certificates": [text("leaf.pem")]})).await;
    let service = mortal(&world, &microsoft).starts().await;
    service.admin().puts(settings(pem("chain.pem", false))).await;
    assert_eq!(sends(&service).await, MessageState::Sent);
    assert_eq!(microsoft.received().await.len(), 1);
}

/// A JWT as Kubernetes projects it; the stand-in was given no key of the issuer's, and looks at no signature.
fn assertion(subject: &str) -> String {
    let part = |value: Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let claims = json!({
        "iss": ISSUER, "sub": subject, "aud": ["api://AzureADTokenExchange"],
        "exp": from_now(std::time::Duration::from_hours(1)).seconds,
    });
    let signature = BASE64URL_NOPAD.encode(b"not looked at");
    format!("{}.{}.{signature}", part(json!({"alg": "RS256"})), part(claims))
}

#[tokio::test]
async fn a_projected_token_is_read_anew_whenever_one_is_needed() {
    let world = given();
    let microsoft = world.microsoft().await;
    knows_app(&microsoft, json!({"federated_credentials": [{"issuer": ISSUER, "subject": SUBJECT}]})).await;
    let file = world.file("token", &assertion("system:serviceaccount:mail:other"));
    let service =
        mortal(&world, &microsoft).with("federated.k8s.token_file", file.to_str().unwrap()).starts().await;
    service.admin().puts(settings(federated("k8s"))).await;
    let held = service.admin().sends(mail("acme").waiting_for_sent()).await;
    assert_eq!((held.state(), code(held.finding.as_ref())), (MessageState::Held, "FEDERATION_WRONG"));
    world.file("token", &assertion(SUBJECT));
    assert!(service.admin().tests("acme", None).await.passed);
    service.admin().reaches(&held, MessageState::Sent).await;
    world.file("token", "no assertion");
    let tested = service.admin().tests("acme", None).await;
    let failed = tested.steps.iter().find(|step| step.status() == TestStatus::Failed).unwrap();
    assert_eq!(failed.findings[0].code, "CREDENTIAL_STORE_UNAVAILABLE", "{tested:#?}");
    assert!(!format!("{tested:?}").contains(file.to_str().unwrap()), "a path is the operator's own");
}

#[tokio::test]
async fn a_managed_identity_of_this_machine_sends() {
    const IDENTITY: &str = "5a4d0b0c-0009-4000-8000-00000000a997";
    const OBJECT: &str = "5a4d0b0c-000a-4000-8000-00000000a998";
    let world = given();
    let microsoft = world.microsoft().await;
    let issuer = format!("https://login.microsoftonline.com/{TENANT_ID}/v2.0");
    let directory = json!({
        "apps": [{"client_id": CLIENT_ID, "federated_credentials": [{"issuer": issuer, "subject": OBJECT}]}],
        "mailboxes": [{"address": MAILBOX}],
        "managed_identities": [{"client_id": IDENTITY, "object_id": OBJECT}],
    });
    microsoft.knows_directory(TENANT_ID, &directory).await;
    let service = mortal(&world, &microsoft)
        .with("federated.machine.managed_identity", IDENTITY)
        .with_environment("IDENTITY_ENDPOINT", &format!("{}/msi/token", microsoft.origin()))
        .with_environment("IDENTITY_HEADER", "of-this-machine")
        .starts()
        .await;
    service.admin().puts(settings(federated("machine"))).await;
    assert_eq!(sends(&service).await, MessageState::Sent);
    let saved = service.admin().saved_settings("acme").await;
    assert_eq!(saved.credential_info.unwrap().kind(), CredentialKind::Federated);
}

async fn with_sources(world: &World) -> Service {
    let file = world.file("token", &assertion(SUBJECT));
    let microsoft = world.microsoft().await;
    knows_app(&microsoft, json!({"federated_credentials": [{"issuer": ISSUER, "subject": SUBJECT}]})).await;
    mortal(world, &microsoft)
        .with("federated.k8s.token_file", file.to_str().unwrap())
        .with("federated.bound.token_file", file.to_str().unwrap())
        .with("federated.bound.reseller", "globex")
        .with("federated.bound.client_id", CLIENT_ID)
        .starts()
        .await
}

#[tokio::test]
async fn only_an_admin_puts_or_tries_a_source() {
    let world = given();
    let service = with_sources(&world).await;
    let (_, keeper) = service.admin().with_key(&[Scope::Settings, Scope::Test, Scope::Send], &["acme"]).await;
    let refused = Refusal::of(&keeper.tries_to_put(settings(federated("k8s"))).await.unwrap_err());
    assert_eq!(refused.code, Code::PermissionDenied, "{refused:#?}");
    let test = postrider_proto::v1::TestSettingsRequest {
        reseller: "acme".to_owned(),
        candidate: Some(settings(federated("k8s"))),
        ..Default::default()
    };
    let refused = Refusal::of(&keeper.settings().test_settings(test).await.unwrap_err());
    assert_eq!(refused.code, Code::PermissionDenied, "{refused:#?}");

    service.admin().puts(settings(federated("k8s"))).await;
    let other_app = Settings {
        client_id: "5a4d0b0c-00aa-4000-8000-00000000a991".to_owned(),
        credential: None,
        ..acme_settings()
    };
    let refused = Refusal::of(&keeper.tries_to_put(other_app).await.unwrap_err());
    assert_eq!(refused.code, Code::PermissionDenied, "the source would serve another app: {refused:#?}");
    let labels = [("team".to_owned(), "blue".to_owned())].into();
    keeper.puts(Settings { labels, credential: None, ..acme_settings() }).await;
}

#[tokio::test]
async fn a_source_with_its_app_belongs_to_one_reseller() {
    let world = given();
    let service = with_sources(&world).await;
    service.admin().puts(settings(federated("k8s"))).await;
    let globex = Settings { reseller: "globex".to_owned(), ..settings(federated("k8s")) };
    let taken = Refusal::of(&service.admin().tries_to_put(globex.clone()).await.unwrap_err());
    assert_eq!(taken.kind(), (Code::FailedPrecondition, "SOURCE_TAKEN"), "{taken:#?}");
    let tested = service.admin().tests("globex", Some(globex.clone())).await;
    assert_eq!(tested.steps[0].findings[0].code, "FEDERATION_WRONG", "nor is it lent to a test: {tested:#?}");
    service.admin().puts(Settings { credential: Some(federated("bound")), ..globex }).await;
}

#[tokio::test]
async fn a_source_serves_nobody_else_than_the_configuration_says() {
    let world = given();
    let service = with_sources(&world).await;
    let bound = Refusal::of(&service.admin().tries_to_put(settings(federated("bound"))).await.unwrap_err());
    assert_eq!(bound.kind(), (Code::FailedPrecondition, "SOURCE_TAKEN"), "{bound:#?}");
    let other_app = Settings {
        reseller: "globex".to_owned(),
        client_id: "5a4d0b0c-00aa-4000-8000-00000000a991".to_owned(),
        ..settings(federated("bound"))
    };
    for wrong in [settings(federated("unknown")), other_app] {
        let refused = Refusal::of(&service.admin().tries_to_put(wrong).await.unwrap_err());
        assert_eq!(refused.code, Code::InvalidArgument, "{refused:#?}");
        assert!(refused.fields[0].starts_with("settings.federated.source"), "{refused:#?}");
    }
    let tested = service.admin().tests("acme", Some(settings(federated("unknown")))).await;
    assert_eq!(tested.steps[0].findings[0].code, "FEDERATION_WRONG", "{tested:#?}");
}
