//! The key that seals is replaced, and credentials move between the stores: killed half-way, they go on.

use std::process::Stdio;

use postrider_proto::v1::{DeleteSettingsRequest, MessageState, Settings, TestStatus, TestStep};
use postrider_sandbox::seed;
use postrider_testkit::{
    Finished, Microsoft, Service, ServiceBuilder, Vault, World, acme_settings, canary, mail, seen,
};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::support::{given, mortal, status_code, together};

const RESELLERS: usize = 60;

fn name(n: usize) -> String {
    format!("reseller-{n}")
}

fn settings(n: usize) -> Settings {
    Settings { reseller: name(n), ..acme_settings() }
}

/// A service with many resellers.
async fn used(service: ServiceBuilder) -> Service {
    let service = service.starts().await;
    let puts = (0..RESELLERS).map(|n| {
        let client = service.admin().clone();
        async move { client.puts(settings(n)).await }
    });
    together(puts).await;
    service
}

async fn ends(service: &mut Service) {
    assert_eq!(service.is_asked_to_end().await.code(), Some(0), "{}", service.stderr());
}

fn line(service: &Service, command: &[&str], more: &[String]) -> tokio::process::Command {
    let mut line = service.world().command();
    line.args(command).arg("--data-dir").arg(service.data_dir()).args(more);
    line
}

async fn runs(service: &Service, command: &[&str], more: &[String]) -> Finished {
    postrider_testkit::run(line(service, command, more), "").await
}

/// Starts it and kills it at its first line of progress.
async fn is_killed_at_work(service: &Service, command: &[&str], more: &[String]) {
    let mut line = line(service, command, more);
    let mut child = line.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.starts_with("1 ") {
            break;
        }
    }
    child.kill().await.unwrap();
}

async fn all_send(service: &Service) {
    all_send_but(service, RESELLERS).await;
}

async fn all_send_but(service: &Service, broken: usize) {
    for n in [0, 1, RESELLERS / 2, RESELLERS - 1].into_iter().filter(|n| *n != broken) {
        let sent = service.admin().sends(mail(&name(n)).waiting_for_sent()).await;
        assert_eq!(sent.state(), MessageState::Sent);
    }
}

async fn query(service: &Service, sql: &'static str) -> Vec<String> {
    let options = SqliteConnectOptions::new().filename(service.data_dir().join("postrider.db"));
    let mut db = options.connect().await.unwrap();
    let found = sqlx::query_scalar(sql).fetch_all(&mut db).await.unwrap();
    db.close().await.unwrap();
    found
}

/// The ids of the keys that records are sealed by.
async fn sealing_keys(service: &Service) -> Vec<String> {
    query(service, "SELECT DISTINCT hex(substr(ciphertext, 2, 8)) FROM sealed_credentials").await
}

async fn microsoft(world: &World) -> Microsoft {
    world.microsoft().await
}

#[tokio::test]
async fn a_rekey_seals_all_anew_and_callers_keys_stay_good() {
    let world = given();
    let microsoft = microsoft(&world).await;
    let mut service = used(mortal(&world, &microsoft)).await;
    let before = std::fs::read_to_string(service.data_dir().join("postrider.key")).unwrap();
    let refused = runs(&service, &["credentials", "rekey"], &[]).await;
    assert_eq!(refused.code, 2, "not beside a running service: {refused:#?}");
    assert!(refused.stderr.contains("another postrider has"), "{refused:#?}");
    ends(&mut service).await;
    let keys = sealing_keys(&service).await;

    let rekeyed = runs(&service, &["credentials", "rekey"], &[]).await.answer();

    assert!(rekeyed.contains(&format!("{RESELLERS} records are sealed by the new key")), "{rekeyed}");
    let after = std::fs::read_to_string(service.data_dir().join("postrider.key")).unwrap();
    let root = before.trim().rsplit(':').next().unwrap();
    assert!(!after.contains(root), "what derived the old key is gone");
    assert_eq!(sealing_keys(&service).await.len(), 1);
    assert_ne!(sealing_keys(&service).await, keys);
    service.returns().await;
    all_send(&service).await;
}

#[tokio::test]
async fn a_rekey_killed_half_way_goes_on() {
    let world = given();
    let microsoft = microsoft(&world).await;
    let mut service = used(mortal(&world, &microsoft)).await;
    ends(&mut service).await;
    is_killed_at_work(&service, &["credentials", "rekey"], &[]).await;
    service.returns().await;
    all_send(&service).await;
    service.admin().puts(settings(0)).await;
    ends(&mut service).await;
    runs(&service, &["credentials", "rekey"], &[]).await.answer();
    assert_eq!(sealing_keys(&service).await.len(), 1);
    service.returns().await;
    all_send(&service).await;
}

#[tokio::test]
async fn a_record_that_was_swapped_is_named_and_never_a_wrong_secret() {
    let world = given();
    let microsoft = microsoft(&world).await;
    let mut service = used(mortal(&world, &microsoft)).await;
    ends(&mut service).await;
    let swap = "UPDATE sealed_credentials SET ciphertext =
        (SELECT ciphertext FROM sealed_credentials WHERE reseller = 'reseller-1') WHERE reseller = 'reseller-0'";
    query(&service, swap).await;
    let refused = runs(&service, &["credentials", "rekey"], &[]).await;
    assert_eq!(refused.code, 1, "{refused:#?}");
    assert!(refused.stderr.contains("credential of reseller-0 in version"), "{refused:#?}");
    service.returns().await;
    let waiting = service.admin().sends(mail("reseller-0")).await;
    let deferred = service.admin().reaches(&waiting, MessageState::Deferred).await;
    let finding = deferred.attempts[0].finding.as_ref().unwrap();
    assert!(
        finding.evidence["reason"].contains("reseller-0") && finding.evidence["reason"].contains("damaged"),
        "{finding:#?}"
    );
    assert!(microsoft.received_about("An offer").await.is_empty());
}

#[tokio::test]
async fn a_saved_credential_that_is_lost_is_told_with_the_settings_and_at_its_step_of_a_test() {
    let world = given();
    let microsoft = microsoft(&world).await;
    let mut service = mortal(&world, &microsoft).starts().await;
    for n in 0..2 {
        service.admin().puts(settings(n)).await;
    }
    ends(&mut service).await;
    query(&service, "UPDATE sealed_credentials SET ciphertext = x'00' WHERE reseller = 'reseller-0'").await;
    query(&service, "DELETE FROM sealed_credentials WHERE reseller = 'reseller-1'").await;
    service.returns().await;
    for (n, reason) in [(0, "is damaged: save the settings"), (1, "there is no credential of reseller-1")] {
        let saved = async || service.admin().saved_settings(&name(n)).await;
        let is_told = |saved: &Settings| !status_code(saved.status.as_ref()).is_empty();
        seen("it is told without a send", saved, is_told).await;
        for candidate in [None, Some(Settings { credential: None, ..settings(n) })] {
            let tested = service.admin().tests(&name(n), candidate).await;
            let step = &tested.steps[2];
            assert_eq!((step.name(), step.status()), (TestStep::Credential, TestStatus::Failed));
            assert_eq!(step.findings[0].code, "CREDENTIAL_STORE_UNAVAILABLE");
            assert!(step.findings[0].evidence["reason"].contains(reason), "{tested:#?}");
        }
        service.admin().puts(settings(n)).await;
        assert!(service.admin().tests(&name(n), None).await.passed);
    }
}

#[tokio::test]
async fn what_a_rekey_says_of_a_damaged_record_mends_it_and_one_that_nothing_names_is_passed_over() {
    let world = given();
    let microsoft = microsoft(&world).await;
    let mut service = used(mortal(&world, &microsoft)).await;
    ends(&mut service).await;
    let lost = "UPDATE sealed_credentials SET reseller = 'nobody' WHERE reseller = 'reseller-1'";
    let damaged = "UPDATE sealed_credentials SET ciphertext = x'00' WHERE reseller = 'reseller-0'";
    for sql in [lost, damaged] {
        query(&service, sql).await;
    }
    let refused = runs(&service, &["credentials", "rekey"], &[]).await;
    assert!(refused.stderr.contains("save the settings with it again"), "{refused:#?}");
    service.returns().await;
    service.admin().puts(settings(0)).await;
    ends(&mut service).await;
    let rekeyed = runs(&service, &["credentials", "rekey"], &[]).await.answer();
    assert!(rekeyed.contains("2 damaged records that nothing names"), "{rekeyed}");
    service.returns().await;
    all_send_but(&service, 1).await;
}

#[tokio::test]
async fn no_rekey_leaves_the_old_key_in_a_draft_of_one_that_was_killed() {
    let world = given();
    let microsoft = microsoft(&world).await;
    let mut service = used(mortal(&world, &microsoft)).await;
    ends(&mut service).await;
    let draft = service.data_dir().join(".postrider.key.8a1ce0e4-5b0f-4ea6-9b57-27ee2ac6e4ba");
    std::fs::copy(service.data_dir().join("postrider.key"), &draft).unwrap();
    runs(&service, &["credentials", "rekey"], &[]).await.answer();
    assert!(!draft.exists());
}

#[tokio::test]
async fn a_key_wrapped_by_vault_serves_restarts_and_rekeys_and_lies_in_no_file() {
    let world = given();
    let microsoft = microsoft(&world).await;
    let vault = Vault::starts(&world).await;
    let built = vault.keeps_credentials_of(mortal(&world, &microsoft)).await;
    let built = built.with("credentials.store", "sealed").with("credentials.key", "transit");
    let mut service = used(built).await;
    assert!(!service.data_dir().join("postrider.key").exists());
    service.is_killed_and_returns().await;
    all_send(&service).await;
    ends(&mut service).await;
    let keys = sealing_keys(&service).await;
    let more: Vec<String> = service.built().overrides().to_vec();
    runs(&service, &["credentials", "rekey"], &more).await.answer();
    assert_ne!(sealing_keys(&service).await, keys);
    vault.asks(reqwest::Method::POST, "transit/keys/postrider/rotate", &serde_json::json!({})).await;
    service.returns().await;
    all_send(&service).await;
}

#[tokio::test]
async fn a_key_among_systemds_credentials_serves_and_is_never_written() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = given();
    let microsoft = microsoft(&world).await;
    let mut service = used(mortal(&world, &microsoft)).await;
    ends(&mut service).await;
    let folder = world.path().join("credentials");
    std::fs::create_dir(&folder).unwrap();
    let key = folder.join("postrider.key");
    std::fs::rename(service.data_dir().join("postrider.key"), &key).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o440)).unwrap();
    let built = service.built().clone().with("credentials.key", "systemd");
    let refused = built.ends().await;
    assert_eq!(refused.code, 2, "{refused:#?}");
    assert!(refused.stderr.contains("LoadCredentialEncrypted"), "{refused:#?}");
    let built = built.with_environment("CREDENTIALS_DIRECTORY", &folder.display().to_string());
    let service = built.starts().await;
    all_send(&service).await;
    assert!(!service.data_dir().join("postrider.key").exists());
}

#[tokio::test]
async fn a_key_file_may_lie_apart_from_the_data() {
    let world = given();
    let microsoft = microsoft(&world).await;
    let key = world.path().join("apart.key");
    let built = mortal(&world, &microsoft).with("credentials.key_file", &key.display().to_string());
    let mut service = used(built).await;
    assert!(key.exists() && !service.data_dir().join("postrider.key").exists());
    service.is_killed_and_returns().await;
    all_send(&service).await;
}

fn moved(finished: &Finished) -> &str {
    finished.stdout.lines().next().unwrap_or_default()
}

#[tokio::test]
async fn credentials_move_into_vault_and_back_with_a_dry_run_and_after_a_kill() {
    let world = given();
    let microsoft = microsoft(&world).await;
    let vault = Vault::starts(&world).await;
    let in_vault = vault.keeps_credentials_of(mortal(&world, &microsoft)).await;
    let sealed = in_vault.clone().with("credentials.store", "sealed").with("credentials.keep_replaced", "1s");
    let in_vault = in_vault.with("credentials.keep_replaced", "1s");
    let mut service = used(sealed.clone()).await;
    ends(&mut service).await;
    let more = in_vault.overrides().to_vec();
    let to_vault = ["credentials", "migrate", "--from", "sealed", "--to", "vault"];
    let dry = [&to_vault[..], &["--dry-run"]].concat();
    let versions = "SELECT credential_version FROM settings ORDER BY reseller";

    let tried = runs(&service, &dry, &more).await;
    assert_eq!(
        moved(&tried),
        format!(
            "{RESELLERS} credentials would be moved from the sealed store to Vault, 0 were there already, 0 stay where they are"
        )
    );
    assert!(
        query(&service, versions).await.iter().all(|version| !version.contains('-')),
        "nothing was written"
    );

    is_killed_at_work(&service, &to_vault, &more).await;
    let there = query(&service, versions).await.iter().filter(|version| version.contains('-')).count();
    let rest = runs(&service, &to_vault, &more).await;
    assert_eq!(rest.code, 0, "{rest:#?}");
    assert_eq!(
        moved(&rest),
        format!(
            "{} credentials moved from the sealed store to Vault, {there} were there already, 0 stay where they are",
            RESELLERS - there
        )
    );
    assert!(rest.stderr.contains(&format!("{RESELLERS} of {RESELLERS} resellers looked at")), "{rest:#?}");

    let mut service = in_vault.starts().await;
    all_send(&service).await;
    let left = || query(&service, "SELECT version FROM sealed_credentials");
    seen("what was moved is destroyed where it was", left, Vec::is_empty).await;
    assert!(canary::files_with(seed::SECRET, service.data_dir()).is_empty());
    ends(&mut service).await;

    let back = ["credentials", "migrate", "--from", "vault", "--to", "sealed"];
    let back = runs(&service, &back, &more).await;
    assert!(
        moved(&back).starts_with(&format!("{RESELLERS} credentials moved from Vault to the sealed store")),
        "{back:#?}"
    );
    let service = sealed.starts().await;
    all_send(&service).await;
    vault.comes_to_have(&name(0), &[]).await;
}

#[tokio::test]
async fn what_another_hand_wrote_into_vault_stays_there_and_in_use_until_it_is_taken() {
    let world = given();
    let microsoft = microsoft(&world).await;
    let vault = Vault::starts(&world).await;
    let in_vault = vault.keeps_credentials_of(mortal(&world, &microsoft)).await;
    let mut service = in_vault.clone().with("vault.watch_interval", "24h").starts().await;
    service.admin().puts(settings(0)).await;
    service.admin().puts(settings(1)).await;
    ends(&mut service).await;
    vault.is_written_by_hand(&name(0), &serde_json::json!({"client_secret": "newer"})).await;
    let back = ["credentials", "migrate", "--from", "vault", "--to", "sealed"];
    for more in [&["--dry-run"][..], &[]] {
        let most = runs(&service, &[&back[..], more].concat(), in_vault.overrides()).await;
        assert_eq!(most.code, 1, "{most:#?}");
        assert!(most.stdout.contains("another hand wrote version 2 into Vault"), "{most:#?}");
    }
    assert_eq!(vault.versions(&name(0)).await, [1, 2]);
    let versions = query(&service, "SELECT credential_version FROM settings ORDER BY reseller").await;
    assert!(versions[0].starts_with("1-") && !versions[1].contains('-'), "{versions:?}");
}

#[tokio::test]
async fn what_is_replaced_or_deleted_while_vault_is_not_configured_is_destroyed_once_it_is() {
    let world = given();
    let microsoft = microsoft(&world).await;
    let vault = Vault::starts(&world).await;
    let plain = mortal(&world, &microsoft).with("credentials.keep_replaced", "1s");
    let in_vault = vault.keeps_credentials_of(plain.clone()).await;
    let mut service = in_vault.clone().starts().await;
    for n in 0..3 {
        service.admin().puts(settings(n)).await;
    }
    ends(&mut service).await;
    let back = ["credentials", "migrate", "--from", "vault", "--to", "sealed"];
    vault.is_written_by_hand(&name(1), &serde_json::json!({"client_secret": "stays"})).await;
    vault.is_written_by_hand(&name(2), &serde_json::json!({"client_secret": "stays"})).await;
    runs(&service, &back, in_vault.overrides()).await;

    let mut service = plain.starts().await;
    service.admin().puts(settings(1)).await;
    let deleting = DeleteSettingsRequest { reseller: name(2), ..DeleteSettingsRequest::default() };
    service.admin().settings().delete_settings(deleting).await.unwrap();
    for n in 0..3 {
        service.logs(&format!("event=\"credentials_out_of_reach\" reseller={}", name(n))).await;
    }
    ends(&mut service).await;
    for (n, versions) in [(0, &[1][..]), (1, &[1, 2]), (2, &[1, 2])] {
        assert_eq!(vault.versions(&name(n)).await, versions);
    }

    let service = in_vault.starts().await;
    for n in 0..3 {
        vault.comes_to_have(&name(n), &[]).await;
    }
    let left = || query(&service, "SELECT reseller FROM credential_changes");
    seen("nothing is left to destroy", left, Vec::is_empty).await;
}

#[tokio::test]
async fn half_way_through_a_migration_the_service_reads_from_both_stores() {
    let world = given();
    let microsoft = microsoft(&world).await;
    let vault = Vault::starts(&world).await;
    let in_vault = vault.keeps_credentials_of(mortal(&world, &microsoft)).await;
    let mut service = used(mortal(&world, &microsoft)).await;
    ends(&mut service).await;
    let damage = "UPDATE sealed_credentials SET ciphertext = x'00' WHERE reseller = 'reseller-7'";
    query(&service, damage).await;
    let to_vault = ["credentials", "migrate", "--from", "sealed", "--to", "vault"];
    let most = runs(&service, &to_vault, in_vault.overrides()).await;
    assert_eq!(most.code, 1, "{most:#?}");
    assert!(
        most.stdout.contains("1 stay where they are") && most.stdout.contains("reseller-7: "),
        "{most:#?}"
    );
    let service = in_vault.starts().await;
    all_send(&service).await;
    let new = service.admin().puts(settings(7)).await;
    assert!(new.credential_info.unwrap().version.contains('-'), "what is put now goes to Vault");
    let sent = service.admin().sends(mail(&name(7)).waiting_for_sent()).await;
    assert_eq!(sent.state(), MessageState::Sent);
}
