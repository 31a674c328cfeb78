//! Credentials in HashiCorp Vault: what holds while it is there, while it is away, and when a process dies in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use postrider_proto::v1::settings::Credential;
use postrider_proto::v1::{DeleteSettingsRequest, FederatedCredential, Message, MessageState, Settings};
use postrider_sandbox::seed;
use postrider_testkit::{
    Client, Microsoft, Proxy, Refusal, Service, ServiceBuilder, Vault, Weather, World, acme_settings, canary,
    in_time, mail, secret,
};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::watch;
use tonic::Code;

use crate::support::{code, given, mortal};

/// Both are good at Entra.
const SECOND: &str = "s3cOnd~value.of-the_same~app~0123456789ab";
const CANARY: &str = "cAn8Q~ry.planted-by-a_test~0123456789abcd";

/// What every put is followed by.
const SENDS_BETWEEN_PUTS: usize = 5;

/// The ready-made directory, with more secrets of the app that works and tokens that live so long.
fn directory(secrets: &[&str], token_lifetime_seconds: i64) -> Value {
    let secrets: Vec<_> =
        secrets.iter().map(|value| json!({"id": seed::SECRET_ID, "value": value})).collect();
    json!({
        "apps": [{
            "client_id": seed::CLIENT_ID, "secrets": secrets, "token_lifetime_seconds": token_lifetime_seconds,
        }],
        "mailboxes": [{"address": seed::MAILBOX}, {"address": seed::SECOND_MAILBOX}],
    })
}

async fn microsoft_with_tokens_of(world: &World, seconds: i64) -> Microsoft {
    let microsoft = world.microsoft().await;
    microsoft.knows_directory(seed::TENANT_ID, &directory(&[seed::SECRET, SECOND, CANARY], seconds)).await;
    microsoft
}

fn globex() -> Settings {
    Settings {
        reseller: "globex".to_owned(),
        sender_mailbox: seed::SECOND_MAILBOX.to_owned(),
        ..acme_settings()
    }
}

/// Callers that send one mail after the other until they are told to stop, and perhaps one who puts the settings again and
/// again: the next send after each put needs the credential.
struct Load {
    stop: Arc<AtomicBool>,
    callers: Vec<tokio::task::JoinHandle<Vec<Message>>>,
    /// How often was sent, and put.
    done: watch::Sender<(usize, usize)>,
    puts: bool,
}

impl Load {
    fn on(client: &Client, reseller: &'static str) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), watch::Sender::new((0, 0)));
        let caller = |_| {
            let (client, stop, done) = (client.on_another_connection(), Arc::clone(&stop), done.clone());
            tokio::spawn(async move {
                let mut sent = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    sent.push(client.sends(mail(reseller).waiting_for_sent()).await);
                    done.send_modify(|(sends, _)| *sends += 1);
                }
                sent
            })
        };
        Self { callers: (0..3).map(caller).collect(), stop, done, puts: false }
    }

    fn and_puts(self, client: &Client) -> Self {
        let (client, stop, done) =
            (client.on_another_connection(), Arc::clone(&self.stop), self.done.clone());
        tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                client.puts(acme_settings()).await;
                done.send_modify(|(_, puts)| *puts += 1);
                let enough = done.borrow().0 + SENDS_BETWEEN_PUTS;
                // The last time until the test ends.
                drop(done.subscribe().wait_for(|(sends, _)| *sends >= enough).await);
            }
        });
        Self { puts: true, ..self }
    }

    /// Until some more was sent, and put.
    async fn goes_on(&self) {
        let (sends, puts) = *self.done.borrow();
        let mut done = self.done.subscribe();
        let more = done.wait_for(|now| now.0 > sends + 3 && (!self.puts || now.1 > puts + 1));
        in_time("the load goes on", more).await.unwrap();
    }

    /// All that was sent, of which nothing failed or was tried twice.
    async fn ends_without_a_failed_send(self) -> usize {
        self.goes_on().await;
        self.stop.store(true, Ordering::Relaxed);
        let mut count = 0;
        for caller in self.callers {
            for message in caller.await.unwrap() {
                assert_eq!(
                    (message.state(), message.attempts.len()),
                    (MessageState::Sent, 1),
                    "{message:#?}"
                );
                count += 1;
            }
        }
        count
    }
}

async fn with_vault(world: &World, microsoft: &Microsoft) -> (Vault, ServiceBuilder) {
    let vault = Vault::starts(world).await;
    let service = vault.keeps_credentials_of(mortal(world, microsoft)).await;
    (vault, service)
}

#[tokio::test]
async fn a_credential_lies_in_vault_with_what_postrider_notes_of_it_and_nowhere_else() {
    let world = given();
    let microsoft = microsoft_with_tokens_of(&world, 3_600).await;
    let (vault, service) = with_vault(&world, &microsoft).await;
    let mut service = service.with("log.level", "trace").starts().await;
    let put = service.admin().puts(Settings { credential: Some(secret(CANARY)), ..acme_settings() }).await;
    let sent = service.admin().sends(mail("acme").waiting_for_sent()).await;
    assert_eq!(sent.state(), MessageState::Sent);

    let secret_in_vault = vault.secret("acme").await;
    assert_eq!(secret_in_vault["data"]["client_secret"], CANARY);
    let note = &secret_in_vault["data"]["postrider"];
    assert_eq!(note["fingerprint"], put.credential_info.as_ref().unwrap().fingerprint);
    for name in ["put_id", "put_time", "changed_by"] {
        assert!(note[name].as_str().is_some_and(|text| !text.is_empty()), "{note}");
    }
    let secret_id = std::fs::read_to_string(world.path().join("secret-id")).unwrap();
    service.is_asked_to_end().await;
    let (stdout, stderr) = (service.stdout(), service.stderr());
    for value in [CANARY, &secret_id, "hvs."] {
        assert_eq!(
            canary::files_with(value, service.data_dir()),
            Vec::<std::path::PathBuf>::new(),
            "{value}"
        );
        assert!(
            !canary::is_in(value, stdout.as_bytes()) && !canary::is_in(value, stderr.as_bytes()),
            "{value}"
        );
    }
}

#[tokio::test]
async fn a_token_of_five_seconds_is_replaced_again_and_again_under_load_and_no_send_fails() {
    let world = given();
    let microsoft = microsoft_with_tokens_of(&world, 10).await;
    let (vault, service) = with_vault(&world, &microsoft).await;
    vault.gives_tokens_for(&json!({"token_ttl": "5s", "token_max_ttl": "8s"})).await;
    let service = service.starts().await;
    service.admin().puts(acme_settings()).await;
    let load = Load::on(service.admin(), "acme").and_puts(service.admin());
    service.logs_times(4, "vault_logged_in").await;
    let sent = load.ends_without_a_failed_send().await;
    assert!(sent > 100, "there was a load: {sent}");
}

#[tokio::test]
async fn a_token_that_is_revoked_in_mid_load_fails_no_send() {
    let world = given();
    let microsoft = microsoft_with_tokens_of(&world, 10).await;
    let (vault, service) = with_vault(&world, &microsoft).await;
    let service = service.starts().await;
    service.admin().puts(acme_settings()).await;
    let load = Load::on(service.admin(), "acme").and_puts(service.admin());
    for login in 2..8 {
        vault.revokes_all_logins().await;
        service.logs_times(login, "vault_logged_in").await;
        load.goes_on().await;
    }
    load.ends_without_a_failed_send().await;
}

#[tokio::test]
async fn a_vault_sealed_in_mid_load_stops_only_what_needs_it_and_all_goes_on_when_it_is_unsealed() {
    let world = given();
    let microsoft = microsoft_with_tokens_of(&world, 3_600).await;
    let vault = Vault::starts_on_disk(&world).await;
    let service = vault.keeps_credentials_of(mortal(&world, &microsoft)).await.starts().await;
    let admin = service.admin();
    let saved = admin.puts(acme_settings()).await;
    admin.puts(globex()).await;
    admin.sends(mail("acme").waiting_for_sent()).await;
    let load = Load::on(admin, "acme");

    vault.is_sealed().await;

    let waiting = admin.sends(mail("globex")).await;
    let deferred = admin.reaches(&waiting, MessageState::Deferred).await;
    assert_eq!(code(deferred.attempts[0].finding.as_ref()), "CREDENTIAL_STORE_UNAVAILABLE");
    let evidence = &deferred.attempts[0].finding.as_ref().unwrap().evidence;
    assert!(evidence["reason"].contains("sealed"), "{evidence:?}");
    let refused = admin.tries_to_put(Settings { credential: Some(secret(SECOND)), ..acme_settings() }).await;
    let refused = Refusal::of(&refused.unwrap_err());
    assert_eq!(refused.kind(), (Code::Unavailable, "CREDENTIAL_STORE_UNAVAILABLE"));
    assert!(
        refused.further.contains(&"RetryInfo".to_owned()) && refused.message.contains("sealed"),
        "{refused:#?}"
    );
    let still = admin.saved_settings("acme").await;
    assert_eq!(
        (still.etag, still.credential_info),
        (saved.etag, saved.credential_info),
        "nothing was changed"
    );
    service.is_ready(503).await;

    vault.is_unsealed().await;

    admin.reaches(&waiting, MessageState::Sent).await;
    service.is_ready(200).await;
    assert!(load.ends_without_a_failed_send().await > 10, "tokens that were held went on");
}

#[tokio::test]
async fn a_vault_that_hangs_slows_no_acceptance_and_is_asked_once_for_all_who_wait() {
    let world = given();
    let microsoft = microsoft_with_tokens_of(&world, 3_600).await;
    let (vault, service) = with_vault(&world, &microsoft).await;
    let proxy = Proxy::before(vault.address()).await;
    let service = service.with("vault.address", proxy.address()).starts().await;
    service.admin().puts(acme_settings()).await;
    proxy.turns_for(Method::GET, "/data/", Weather::HoldsRequests);
    let mut accepted = Vec::new();
    for _ in 0..50 {
        accepted.push(service.admin().sends(mail("acme")).await);
    }
    proxy.holds_one().await;
    proxy.lets_go();
    for message in &accepted {
        service.admin().reaches(message, MessageState::Sent).await;
    }
    assert_eq!(proxy.seen("GET /v1/secret/data/postrider/acme").len(), 1);
}

#[tokio::test]
async fn the_looks_at_many_secrets_leave_of_a_quota_what_others_need() {
    let world = given();
    let microsoft = microsoft_with_tokens_of(&world, 3_600).await;
    let (vault, service) = with_vault(&world, &microsoft).await;
    let proxy = Proxy::before(vault.address()).await;
    let service = service.with("vault.address", proxy.address()).with("vault.watch_interval", "1s");
    let mut service = service.starts().await;
    for n in 0..12 {
        service.admin().puts(Settings { reseller: format!("reseller-{n}"), ..acme_settings() }).await;
    }
    let quota = json!({"path": "secret", "rate": 8});
    vault.asks(Method::POST, "sys/quotas/rate-limit/small", &quota).await;
    for _ in 0..12 {
        proxy.sees_more(5, "GET /v1/secret/metadata/").await;
        assert_eq!(service.page("/readyz").await.0, 200);
    }
    assert_eq!(service.is_asked_to_end().await.code(), Some(0));
    assert!(!service.stderr().contains("vault_away"), "{}", service.stderr());
}

#[tokio::test]
async fn a_service_whose_vault_is_away_at_its_start_takes_mail_and_sends_it_later() {
    let world = given();
    let microsoft = microsoft_with_tokens_of(&world, 3_600).await;
    let (vault, service) = with_vault(&world, &microsoft).await;
    let proxy = Proxy::before(vault.address()).await;
    let service = service.with("vault.address", proxy.address());
    let mut running = service.clone().starts().await;
    running.admin().puts(acme_settings()).await;
    assert_eq!(running.is_asked_to_end().await.code(), Some(0));

    proxy.turns(Weather::Answers(503, "Vault is sealed".to_owned()));
    let running = service.starts().await;
    let accepted = running.admin().sends(mail("acme")).await;
    running.admin().reaches(&accepted, MessageState::Deferred).await;
    running.is_ready(503).await;

    proxy.turns(Weather::Fair);
    running.admin().reaches(&accepted, MessageState::Sent).await;
    running.is_ready(200).await;
}

#[tokio::test]
async fn a_login_that_can_never_succeed_is_told_at_the_start() {
    let world = given();
    let vault = Vault::starts(&world).await;
    let service = vault.keeps_credentials_of(world.service()).await;
    let refused = service.clone().with("vault.role_id", "wrong").ends().await;
    assert_eq!(refused.code, 2, "{refused:#?}");
    assert!(refused.stderr.contains("error: Vault refuses the login"), "{refused:#?}");
    let unreadable = service.with("vault.secret_id_file", "/nowhere/secret-id").ends().await;
    assert_eq!(unreadable.code, 2, "{unreadable:#?}");
    assert!(unreadable.stderr.contains("/nowhere/secret-id is missing"), "{unreadable:#?}");
}

#[tokio::test]
async fn of_two_processes_that_write_the_same_reseller_one_is_aborted() {
    let world = given();
    let microsoft = microsoft_with_tokens_of(&world, 3_600).await;
    let (vault, service) = with_vault(&world, &microsoft).await;
    let proxy = Proxy::before(vault.address()).await;
    let slow = service.clone().with("vault.address", proxy.address()).starts().await;
    let fast = service.in_data_dir(world.path().join("other")).starts().await;
    let etag = slow.admin().puts(acme_settings()).await.etag;

    proxy.turns_for(Method::POST, "/data/", Weather::HoldsRequests);
    let held =
        slow.admin().tries_to_put(Settings { etag, credential: Some(secret(SECOND)), ..acme_settings() });
    let (held, ()) = tokio::join!(held, async {
        proxy.holds_one().await;
        fast.admin().puts(acme_settings()).await;
        proxy.turns(Weather::Fair);
        proxy.lets_go();
    });

    assert_eq!(Refusal::of(&held.unwrap_err()).kind(), (Code::Aborted, "ETAG_MISMATCH"));
    for service in [&slow, &fast] {
        let sent = service.admin().sends(mail("acme").waiting_for_sent()).await;
        assert_eq!(sent.state(), MessageState::Sent);
    }
}

#[tokio::test]
async fn a_put_of_a_source_that_another_has_is_refused_before_vault_hears_of_it() {
    let world = given();
    let microsoft = world.microsoft().await;
    let (vault, service) = with_vault(&world, &microsoft).await;
    let token = vault.file("assertion", "a.b.c");
    let service = service.with("federated.k8s.token_file", token.to_str().unwrap()).starts().await;
    let of = |reseller: &str| Settings {
        reseller: reseller.to_owned(),
        credential: Some(Credential::Federated(FederatedCredential { source: "k8s".to_owned() })),
        ..acme_settings()
    };
    service.admin().puts(of("acme")).await;
    let taken = Refusal::of(&service.admin().tries_to_put(of("globex")).await.unwrap_err());
    assert_eq!(taken.kind(), (Code::FailedPrecondition, "SOURCE_TAKEN"), "{taken:#?}");
    assert_eq!(vault.versions("globex").await, [0; 0]);
}

/// A service whose every way to Vault goes through the proxy, with `acme` saved and one mail sent.
async fn before_a_kill(world: &World) -> (Vault, Proxy, Service) {
    let microsoft = microsoft_with_tokens_of(world, 3_600).await;
    let (vault, service) = with_vault(world, &microsoft).await;
    let proxy = Proxy::before(vault.address()).await;
    let service = service
        .with("vault.address", proxy.address())
        .with("credentials.keep_replaced", "1s")
        .with("vault.watch_interval", "1s")
        .starts()
        .await;
    service.admin().puts(acme_settings()).await;
    service.admin().sends(mail("acme").waiting_for_sent()).await;
    vault.comes_to_have("acme", &[1]).await;
    (vault, proxy, service)
}

#[tokio::test]
async fn a_put_killed_at_any_step_changes_all_or_nothing_and_leaves_no_orphan() {
    for weather in [Weather::HoldsRequests, Weather::HoldsAnswers] {
        let world = given();
        let (vault, proxy, mut service) = before_a_kill(&world).await;
        let before = service.admin().saved_settings("acme").await;
        proxy.turns_for(Method::POST, "/data/", weather.clone());
        let change = Settings {
            credential: Some(secret(SECOND)),
            sender_mailbox: seed::SECOND_MAILBOX.to_owned(),
            ..acme_settings()
        };
        let client = service.admin().clone();
        let putting = tokio::spawn(async move { client.tries_to_put(change).await });
        proxy.holds_one().await;

        service.is_killed().await;
        proxy.turns(Weather::Fair);
        proxy.lets_go();
        assert!(putting.await.unwrap().is_err());
        service.returns().await;

        // Where Vault took it, the orphan was there, good at Entra, and watched for.
        let written = matches!(weather, Weather::HoldsAnswers);
        vault.comes_to_have("acme", &[1]).await;
        let after = service.admin().saved_settings("acme").await;
        assert_eq!((after.etag, after.credential_info), (before.etag, before.credential_info), "{weather:?}");
        assert_eq!(after.sender_mailbox, seed::MAILBOX);
        let sent = service.admin().sends(mail("acme").waiting_for_sent()).await;
        assert_eq!((sent.state(), sent.attempts.len()), (MessageState::Sent, 1));
        let again =
            service.admin().puts(Settings { credential: Some(secret(SECOND)), ..acme_settings() }).await;
        let number = if written { "3-" } else { "2-" };
        let version = again.credential_info.unwrap().version;
        assert!(version.starts_with(number), "{version} after {weather:?}");
    }
}

#[tokio::test]
async fn a_first_put_that_died_leaves_nothing_and_one_that_was_answered_leaves_all() {
    let world = given();
    let (vault, proxy, mut service) = before_a_kill(&world).await;
    proxy.turns_for(Method::POST, "/data/", Weather::HoldsAnswers);
    let client = service.admin().clone();
    let putting = tokio::spawn(async move { client.tries_to_put(globex()).await });
    proxy.holds_one().await;
    service.is_killed().await;
    proxy.turns(Weather::Fair);
    proxy.lets_go();
    assert!(putting.await.unwrap().is_err());
    assert_eq!(vault.versions("globex").await, [1]);
    service.returns().await;
    vault.comes_to_have("globex", &[]).await;

    service.admin().puts(Settings { credential: Some(secret(SECOND)), ..acme_settings() }).await;
    service.is_killed_and_returns().await;
    vault.comes_to_have("acme", &[2]).await;
    let sent = service.admin().sends(mail("acme").waiting_for_sent()).await;
    assert_eq!(sent.state(), MessageState::Sent);
}

#[tokio::test]
async fn a_delete_that_died_before_vault_heard_of_it_is_made_good() {
    let world = given();
    let (vault, proxy, mut service) = before_a_kill(&world).await;
    proxy.turns_for(Method::POST, "/destroy/", Weather::HoldsRequests);
    let client = service.admin().clone();
    let deleting = tokio::spawn(async move {
        let request =
            DeleteSettingsRequest { reseller: "acme".to_owned(), ..DeleteSettingsRequest::default() };
        client.settings().delete_settings(request).await
    });
    proxy.holds_one().await;
    service.is_killed().await;
    proxy.turns(Weather::Fair);
    drop(deleting.await);
    service.returns().await;
    vault.comes_to_have("acme", &[]).await;
    let gone = service.admin().tries(mail("acme")).await.unwrap_err();
    assert_eq!(postrider_testkit::reason(&gone), "SETTINGS_MISSING");
}

#[tokio::test]
async fn a_deleted_version_waits_and_says_so_until_it_is_undeleted() {
    let world = given();
    let microsoft = microsoft_with_tokens_of(&world, 3_600).await;
    let (vault, service) = with_vault(&world, &microsoft).await;
    let service = service.starts().await;
    service.admin().puts(acme_settings()).await;
    let versions = json!({"versions": [1]});
    vault.asks(Method::PUT, "secret/delete/postrider/acme", &versions).await;

    let waiting = service.admin().sends(mail("acme")).await;
    let deferred = service.admin().reaches(&waiting, MessageState::Deferred).await;
    let finding = deferred.attempts[0].finding.as_ref().unwrap();
    assert_eq!(finding.code, "CREDENTIAL_STORE_UNAVAILABLE");
    assert!(finding.evidence["reason"].contains("was deleted in Vault: undelete it"), "{finding:#?}");

    vault.asks(Method::PUT, "secret/undelete/postrider/acme", &versions).await;
    service.admin().reaches(&waiting, MessageState::Sent).await;
}
