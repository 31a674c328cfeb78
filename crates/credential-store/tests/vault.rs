//! Vault keeps every promise of a store, under exactly the policy that is handed out.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::time::Duration;

use jiff::Timestamp;
use postrider_credential_store::{
    ByAnotherHand, Change, CredentialStore, CredentialStoreError, Deletion, LocalKey, Unusable,
    Vault as Client, VaultAuth, VaultCredentialStore, VaultError, VaultFault, VaultProbe, VaultSettings,
    conformance,
};
use postrider_domain::{Credential, CredentialInfo, ResellerId};
use postrider_testkit::{MOUNT, PREFIX, Proxy, Vault, Weather, World, seen};
use reqwest::Method;
use serde_json::{Value, json};

const TIMEOUT: Duration = Duration::from_secs(5);

struct Given {
    vault: Vault,
    proxy: Proxy,
    store: VaultCredentialStore,
    _world: World,
}

impl Given {
    async fn a_vault() -> Self {
        Self::with_timeout(TIMEOUT).await
    }

    async fn with_timeout(timeout: Duration) -> Self {
        let world = World::new("");
        let vault = Vault::starts(&world).await;
        let proxy = Proxy::before(vault.address()).await;
        let file = vault.file("token", &vault.token(&json!({})).await);
        let client = connect(proxy.address(), VaultAuth::Token { file }, timeout);
        client.log_in().await.unwrap();
        let store = store(client);
        Self { vault, proxy, store, _world: world }
    }

    async fn put(&self, value: &str) -> CredentialInfo {
        self.store.put(&acme(), &secret(value), &change()).await.unwrap()
    }

    async fn by_another_hand(&self, in_use: &CredentialInfo) -> ByAnotherHand {
        self.store.by_another_hand(&acme(), in_use).await.unwrap()
    }

    async fn metadata(&self) -> Value {
        self.vault.reads(&format!("{MOUNT}/metadata/{PREFIX}/acme")).await["data"].clone()
    }

    async fn met(&self) -> CredentialStoreError {
        self.store.put(&acme(), &secret("x"), &change()).await.unwrap_err()
    }
}

fn connect(address: &str, auth: VaultAuth, timeout: Duration) -> Client {
    let settings =
        VaultSettings { address: address.to_owned(), ca_pem: None, namespace: None, auth, timeout };
    Client::new(settings).unwrap()
}

fn store(client: Client) -> VaultCredentialStore {
    let folder = tempfile::tempdir().unwrap();
    let key = LocalKey::create(&folder.path().join("key")).unwrap();
    VaultCredentialStore::new(client, MOUNT, PREFIX, &key)
}

fn acme() -> ResellerId {
    ResellerId::parse("acme").unwrap()
}

fn secret(value: &str) -> Credential {
    Credential::ClientSecret { value: value.into(), expire_time: None }
}

fn change() -> Change {
    beside(None)
}

/// Of a credential that takes the place of this one.
fn beside(in_use: Option<&CredentialInfo>) -> Change {
    let in_use = in_use.map(|info| info.version.clone());
    Change { id: uuid::Uuid::new_v4(), by: "a test".to_owned(), time: Timestamp::UNIX_EPOCH, in_use }
}

fn fault(error: &CredentialStoreError) -> VaultFault {
    match error {
        CredentialStoreError::Vault(error) => error.fault.clone(),
        other => panic!("no fault of Vault's: {other}"),
    }
}

#[tokio::test]
async fn vault_keeps_every_promise_of_a_store_under_the_least_policy() {
    let given = Given::a_vault().await;
    conformance::exercise(&given.store, &acme(), &ResellerId::parse("beta").unwrap()).await.unwrap();
    assert_eq!(given.vault.versions("acme").await, [0; 0]);
}

#[tokio::test]
async fn the_policy_lets_nothing_else_be_done() {
    let given = Given::a_vault().await;
    given.put("s3cret").await;
    let token = given.vault.token(&json!({})).await;
    for (method, path) in [
        (Method::GET, format!("{MOUNT}/data/other")),
        (Method::GET, format!("{MOUNT}/data/{PREFIX}-other/acme")),
        (Method::GET, format!("{MOUNT}/metadata/{PREFIX}?list=true")),
        (Method::DELETE, format!("{MOUNT}/data/{PREFIX}/acme")),
        (Method::DELETE, format!("{MOUNT}/metadata/{PREFIX}/acme")),
        (Method::GET, format!("{MOUNT}/config")),
        (Method::GET, "transit/keys/postrider".to_owned()),
        (Method::GET, "transit/export/encryption-key/postrider".to_owned()),
        (Method::GET, "sys/policies/acl/postrider".to_owned()),
        (Method::POST, "auth/token/create".to_owned()),
    ] {
        let (status, answer) = given.vault.tries(method.clone(), &path, &Value::Null, &token).await;
        assert_eq!(status.as_u16(), 403, "{method} {path}: {answer}");
    }
}

#[tokio::test]
async fn each_trouble_has_a_plain_error_of_its_own() {
    let given = Given::with_timeout(Duration::from_millis(500)).await;
    let version = given.put("s3cret").await.version;
    for (weather, expected) in [
        (Weather::Answers(503, "Vault is sealed".to_owned()), VaultFault::Sealed),
        (Weather::Answers(503, "upstream".to_owned()), VaultFault::Failing(503)),
        (Weather::Answers(500, "internal error".to_owned()), VaultFault::Failing(500)),
        (Weather::Answers(429, "request path quota exceeded".to_owned()), VaultFault::Throttled),
        (Weather::Answers(472, String::new()), VaultFault::Standby),
        (Weather::Redirects("http://127.0.0.1:1/v1/x".to_owned()), VaultFault::Standby),
        (Weather::HoldsRequests, VaultFault::Slow),
    ] {
        given.proxy.turns(weather.clone());
        let met = given.met().await;
        assert_eq!(fault(&met), expected, "{weather:?}");
        assert!(met.is_outage());
        given.proxy.lets_go();
    }
    given.proxy.turns(Weather::Fair);
    assert!(given.store.get(&acme(), &version).await.is_ok(), "and after each it serves again");
}

#[tokio::test]
async fn what_is_not_there_to_be_reached_is_said_so() {
    let world = World::new("");
    let file = world.file("token", "hvs.none");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let nobody = connect("http://127.0.0.1:1", VaultAuth::Token { file }, TIMEOUT);
    assert_eq!(nobody.log_in().await.unwrap_err().fault, VaultFault::Unreachable);
}

#[tokio::test]
async fn a_wrong_mount_and_a_missing_right_are_told_apart() {
    let given = Given::a_vault().await;
    let file = given.vault.file("root", "root");
    let client = connect(given.vault.address(), VaultAuth::Token { file }, TIMEOUT);
    let key = LocalKey::generate().unwrap();
    let elsewhere = VaultCredentialStore::new(client.clone(), "nowhere", PREFIX, &key);
    let met = elsewhere.put(&acme(), &secret("x"), &change()).await.unwrap_err();
    assert_eq!(fault(&met), VaultFault::NoEngine);
    let file = given.vault.file("postrider", &given.vault.token(&json!({})).await);
    let client = connect(given.vault.address(), VaultAuth::Token { file }, TIMEOUT);
    let forbidden = VaultCredentialStore::new(client, MOUNT, "another-team", &key);
    let met = forbidden.put(&acme(), &secret("x"), &change()).await.unwrap_err();
    assert_eq!(fault(&met), VaultFault::Denied);
}

#[tokio::test]
async fn a_version_that_was_deleted_or_destroyed_says_so_and_a_wrong_shape_is_damaged() {
    let given = Given::a_vault().await;
    let (deleted, destroyed) = (given.put("1").await.version, given.put("2").await.version);
    let ask = |verb: &str, version: u64| {
        let (vault, path) = (given.vault.clone(), format!("{MOUNT}/{verb}/{PREFIX}/acme"));
        async move { vault.asks(Method::PUT, &path, &json!({"versions": [version]})).await }
    };
    ask("delete", 1).await;
    ask("destroy", 2).await;
    let met = given.store.get(&acme(), &deleted).await.unwrap_err();
    assert!(matches!(met, CredentialStoreError::Deleted { .. }), "{met}");
    let met = given.store.get(&acme(), &destroyed).await.unwrap_err();
    assert!(matches!(met, CredentialStoreError::Destroyed { .. }), "{met}");
    ask("undelete", 1).await;
    assert!(given.store.get(&acme(), &deleted).await.is_ok());
}

#[tokio::test]
async fn what_another_hand_wrote_that_is_no_credential_hides_no_good_one_beneath() {
    let given = Given::a_vault().await;
    let in_use = given.put("in use").await;
    given.vault.is_written_by_hand("acme", &json!({"password": ["no", "credential"]})).await;
    let found = given.by_another_hand(&in_use).await;
    assert!(found.put.is_none() && found.unusable.unwrap().1 == Unusable::Malformed);
    given.vault.is_written_by_hand("acme", &json!({"client_secret": "good"})).await;
    for malformed in [json!({"client_secret": 5}), json!({"client_secret": "x", "expire_time": "soon"})] {
        given.vault.is_written_by_hand("acme", &malformed).await;
    }
    let found = given.by_another_hand(&in_use).await;
    assert!(found.put.unwrap().version.as_str().starts_with("3-"));
    let (version, why) = found.unusable.unwrap();
    assert!(version.as_str().starts_with("5-") && why == Unusable::Malformed, "{version:?}");
}

#[tokio::test]
async fn a_federated_source_is_never_taken_from_another_hand() {
    let given = Given::a_vault().await;
    let in_use = given.put("in use").await;
    given.vault.is_written_by_hand("acme", &json!({"kind": "federated", "source": "k8s"})).await;
    let found = given.by_another_hand(&in_use).await;
    assert!(found.put.is_none() && found.unusable.unwrap().1 == Unusable::Federated);
}

#[tokio::test]
async fn no_put_costs_the_version_in_use_however_many_came_after_it() {
    let given = Given::a_vault().await;
    let in_use = given.put("in use").await;
    assert_eq!(given.metadata().await["max_versions"], 100);
    for _ in 0..130 {
        given.store.put(&acme(), &secret("an orphan"), &beside(Some(&in_use))).await.unwrap();
    }
    assert!(given.store.get(&acme(), &in_use.version).await.is_ok());
}

#[tokio::test]
async fn under_a_policy_of_before_a_put_that_would_cost_the_version_in_use_is_refused() {
    let given = Given::a_vault().await;
    let policy = format!(
        "path \"{MOUNT}/data/{PREFIX}/+\" {{ capabilities = [\"create\", \"read\", \"update\"] }}\n\
         path \"{MOUNT}/metadata/{PREFIX}/+\" {{ capabilities = [\"read\", \"delete\"] }}\n"
    );
    let policy = json!({"policy": policy});
    given.vault.asks(Method::PUT, "sys/policies/acl/postrider", &policy).await;
    let in_use = given.put("in use").await;
    for _ in 2..=10 {
        given.store.put(&acme(), &secret("an orphan"), &beside(Some(&in_use))).await.unwrap();
    }
    let met = given.store.put(&acme(), &secret("too much"), &beside(Some(&in_use))).await.unwrap_err();
    assert_eq!(fault(&met), VaultFault::Denied);
    assert!(given.store.get(&acme(), &in_use.version).await.is_ok());
}

#[tokio::test]
async fn a_version_in_use_that_is_gone_is_told() {
    let given = Given::a_vault().await;
    let in_use = given.put("in use").await;
    assert!(given.by_another_hand(&in_use).await.lost.is_none());
    let versions = json!({"versions": [1]});
    given.vault.asks(Method::PUT, &format!("{MOUNT}/delete/{PREFIX}/acme"), &versions).await;
    let lost = given.by_another_hand(&in_use).await.lost;
    assert!(matches!(lost, Some(CredentialStoreError::Deleted { .. })), "{lost:?}");
    given.vault.asks(Method::PUT, &format!("{MOUNT}/destroy/{PREFIX}/acme"), &versions).await;
    let lost = given.by_another_hand(&in_use).await.lost;
    assert!(matches!(lost, Some(CredentialStoreError::Destroyed { .. })), "{lost:?}");
    given.vault.asks(Method::DELETE, &format!("{MOUNT}/metadata/{PREFIX}/acme"), &Value::Null).await;
    let lost = given.by_another_hand(&in_use).await.lost;
    assert!(matches!(lost, Some(CredentialStoreError::Missing { .. })), "{lost:?}");
}

#[tokio::test]
async fn a_deletion_under_way_leaves_a_credential_that_is_put_meanwhile() {
    let given = Given::a_vault().await;
    given.put("old").await;
    given.proxy.turns_for(Method::POST, "/destroy/", Weather::HoldsRequests);
    let acme = acme();
    let pruning = given.store.prune(&acme, None, Timestamp::MAX);
    let putting = async {
        given.proxy.holds_one().await;
        given.proxy.turns(Weather::Fair);
        let put = given.put("new").await;
        given.proxy.lets_go();
        put
    };
    let (pruned, new) = tokio::join!(pruning, putting);
    pruned.unwrap();
    assert!(given.store.get(&acme, &new.version).await.is_ok());
    assert_eq!(given.vault.versions("acme").await, [2]);
}

#[tokio::test]
async fn pruning_destroys_orphans_and_what_was_replaced_and_never_what_another_hand_put_since() {
    let given = Given::a_vault().await;
    given.put("replaced").await;
    let in_use = given.put("in use").await;
    given.vault.is_written_by_hand("acme", &json!({"client_secret": "by hand"})).await;
    given.put("an orphan").await;
    given.vault.is_written_by_hand("acme", &json!({"password": "of another kind"})).await;
    given.store.prune(&acme(), Some(&in_use.version), Timestamp::MAX).await.unwrap();
    assert_eq!(given.vault.versions("acme").await, [2, 3, 5]);
    let adopted = given.by_another_hand(&in_use).await.put.unwrap();
    given.store.prune(&acme(), Some(&adopted.version), Timestamp::MAX).await.unwrap();
    assert_eq!(given.vault.versions("acme").await, [3, 5]);
}

#[tokio::test]
async fn whether_vault_serves_is_told_by_what_a_token_request_reads_and_does_not_come_and_go() {
    let given = Given::a_vault().await;
    let file = given.vault.file("token", &given.vault.token(&json!({})).await);
    let client = connect(given.proxy.address(), VaultAuth::Token { file }, TIMEOUT);
    let (mut is_there, asking) = (client.is_there(), store(client.clone()));
    let probe = VaultProbe::Credentials { mount: MOUNT.to_owned(), prefix: PREFIX.to_owned() };
    let keeping = tokio::spawn(client.keep(probe));
    let acme = acme();
    let in_use = given.put("in use").await.version;
    for weather in [
        Weather::Answers(404, "no handler for route \"secret/data\"".to_owned()),
        Weather::Answers(429, "request path quota exceeded".to_owned()),
        Weather::Answers(500, "internal error".to_owned()),
        Weather::Answers(403, "permission denied".to_owned()),
    ] {
        given.proxy.turns_for(Method::GET, "/data/", weather.clone());
        assert!(asking.get(&acme, &in_use).await.is_err(), "{weather:?}");
        is_there.wait_for(|is_there| !is_there).await.unwrap();
        for _ in 0..2 {
            // Other paths serve, and so does the token.
            assert!(asking.prune(&acme, None, Timestamp::MIN).await.is_ok(), "{weather:?}");
            drop(asking.get(&acme, &in_use).await);
            given.proxy.sees_more(1, "/data/postrider/-").await;
        }
        assert!(!is_there.has_changed().unwrap() && !*is_there.borrow(), "it stays away: {weather:?}");
        given.proxy.turns(Weather::Fair);
        is_there.wait_for(|is_there| *is_there).await.unwrap();
    }
    keeping.abort();
}

#[tokio::test]
async fn of_two_who_write_at_once_one_is_refused_and_nothing_is_overwritten() {
    let given = Given::a_vault().await;
    given.put("0").await;
    given.proxy.turns_for(Method::POST, "/data/", Weather::HoldsRequests);
    let (acme, secret, change) = (acme(), secret("slow"), change());
    let slow = given.store.put(&acme, &secret, &change);
    let fast = async {
        given.proxy.holds_one().await;
        given.proxy.turns(Weather::Fair);
        let put = given.put("fast").await;
        given.proxy.lets_go();
        put
    };
    let (slow, fast) = tokio::join!(slow, fast);
    assert!(matches!(slow, Err(CredentialStoreError::Conflict { .. })), "{slow:?}");
    assert!(given.store.get(&acme, &fast.version).await.is_ok());
    assert_eq!(given.vault.versions("acme").await, [1, 2]);
}

#[tokio::test]
async fn another_hands_secret_is_told_from_the_orphan_of_a_put() {
    let given = Given::a_vault().await;
    let in_use = given.put("in use").await;
    given.put("an orphan").await;
    let found = given.by_another_hand(&in_use).await.put;
    assert!(found.is_none(), "our own mark fits its content: {found:?}");
    let mut patched = given.vault.secret("acme").await["data"].clone();
    patched["client_secret"] = "by hand".into();
    given.vault.is_written_by_hand("acme", &patched).await;
    given.put("another orphan").await;
    let found = given.by_another_hand(&in_use).await.put.expect("by hand");
    assert!(given.store.get(&acme(), &found.version).await.is_ok());
    assert_ne!(found.fingerprint, in_use.fingerprint);
    given
        .vault
        .is_written_by_hand("acme", &json!({"client_secret": "x", "expire_time": "2030-01-01T00:00:00Z"}))
        .await;
    let bare = given.by_another_hand(&found).await.put.expect("by hand, without a mark");
    assert_eq!(bare.expire_time.map(|time| time.to_string()).as_deref(), Some("2030-01-01T00:00:00Z"));
}

#[tokio::test]
async fn a_secret_made_anew_is_not_taken_for_the_old_one_of_the_same_number() {
    let given = Given::a_vault().await;
    let old = given.put("old").await;
    given.vault.asks(Method::DELETE, &format!("{MOUNT}/metadata/{PREFIX}/acme"), &Value::Null).await;
    given.vault.is_written_by_hand("acme", &json!({"client_secret": "new"})).await;
    let met = given.store.get(&acme(), &old.version).await.unwrap_err();
    assert!(matches!(met, CredentialStoreError::Missing { .. }), "{met}");
    assert!(given.by_another_hand(&old).await.put.is_some());
}

#[tokio::test]
async fn a_secret_made_anew_with_fewer_versions_is_another_and_replaced_by_none_of_before() {
    let given = Given::a_vault().await;
    let mut in_use = given.put("1").await;
    for value in ["2", "3"] {
        in_use = given.put(value).await;
    }
    given.vault.asks(Method::DELETE, &format!("{MOUNT}/metadata/{PREFIX}/acme"), &Value::Null).await;
    given.vault.is_written_by_hand("acme", &json!({"client_secret": "new"})).await;
    let found = given.by_another_hand(&in_use).await;
    assert!(found.put.is_some_and(|put| put.version.as_str().starts_with("1-")));
    given.store.prune(&acme(), Some(&in_use.version), Timestamp::MAX).await.unwrap();
    assert_eq!(given.vault.versions("acme").await, [1]);
}

#[tokio::test]
async fn what_deleted_settings_leave_goes_at_once_and_no_put_that_began_since_by_whatever_clock() {
    let given = Given::a_vault().await;
    let (_replaced, in_use) = (given.put("replaced").await, given.put("in use").await);
    let new = given.put("put since").await;
    // By Vault's clock all of it was made before the deletion, which a minute may be between.
    let made: Timestamp = new.version.as_str().split_once('-').unwrap().1.parse().unwrap();
    let time = made + Duration::from_mins(1);
    let deletion = Deletion { in_use: &in_use.version, time, clocks_differ: Duration::from_mins(10) };
    given.store.destroy_deleted(&acme(), deletion).await.unwrap();
    assert_eq!(given.vault.versions("acme").await, [3]);
    assert!(given.store.get(&acme(), &new.version).await.is_ok());
}

#[tokio::test]
async fn no_error_says_the_secret() {
    const CANARY: &str = "cAn8Q~ry.planted-by-a_test";
    let given = Given::with_timeout(Duration::from_millis(500)).await;
    for weather in [
        Weather::Answers(500, "an error".to_owned()),
        Weather::Answers(200, "no answer of Vault's".to_owned()),
        Weather::HoldsAnswers,
    ] {
        given.proxy.turns(weather);
        let met = given.store.put(&acme(), &secret(CANARY), &change()).await.unwrap_err();
        let told = format!("{met} {met:?} {:?}", std::error::Error::source(&met).map(ToString::to_string));
        assert!(!told.contains(CANARY), "{told}");
        given.proxy.lets_go();
    }
}

async fn logs_in(vault: &Vault, auth: VaultAuth) -> Result<Client, VaultError> {
    let client = connect(vault.address(), auth, TIMEOUT);
    client.log_in().await.map(|()| client)
}

#[tokio::test]
async fn an_approle_logs_in_and_a_wrapped_secret_id_serves_again_and_again() {
    let world = World::new("");
    let vault = Vault::starts(&world).await;
    let auth = |file: std::path::PathBuf, wrapped, role_id: String| VaultAuth::AppRole {
        mount: "approle".to_owned(),
        role_id,
        secret_id_file: file,
        wrapped,
    };
    let plain = vault.file("plain", &vault.secret_id().await);
    assert!(logs_in(&vault, auth(plain.clone(), false, vault.role_id().await)).await.is_ok());
    let refused = logs_in(&vault, auth(plain, false, "wrong".to_owned())).await.unwrap_err();
    assert_eq!(refused.fault, VaultFault::LoginRefused);

    let wrapped = vault.file("wrapped", &vault.wrapped_secret_id().await);
    let client = logs_in(&vault, auth(wrapped.clone(), true, vault.role_id().await)).await.unwrap();
    let store = store(client);
    store.put(&acme(), &secret("1"), &change()).await.unwrap();
    vault.revokes_all_logins().await;
    assert!(
        store.put(&acme(), &secret("2"), &change()).await.is_ok(),
        "logged in anew by the same secret id"
    );
    let used = logs_in(&vault, auth(wrapped, true, vault.role_id().await)).await.unwrap_err();
    assert_eq!(used.fault, VaultFault::LoginRefused, "a wrapping token serves once");
}

#[tokio::test]
async fn a_token_file_is_read_anew_when_its_token_is_gone() {
    let given = Given::a_vault().await;
    let first = given.vault.token(&json!({})).await;
    let file = given.vault.file("rotated", &first);
    let client = logs_in(&given.vault, VaultAuth::Token { file: file.clone() }).await.unwrap();
    let store = store(client);
    store.put(&acme(), &secret("1"), &change()).await.unwrap();
    given.vault.asks(Method::POST, "auth/token/revoke", &json!({"token": first})).await;
    let met = store.put(&acme(), &secret("2"), &change()).await.unwrap_err();
    assert_eq!(fault(&met), VaultFault::TokenRejected);
    given.vault.file("rotated", &given.vault.token(&json!({})).await);
    // The next login waits a second after one that was refused.
    let put = async || store.put(&acme(), &secret("2"), &change()).await;
    seen("the new token is taken", put, Result::is_ok).await.unwrap();
}

#[tokio::test]
async fn a_file_that_everybody_may_read_is_refused_by_name() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new("");
    let file = world.file("token", "hvs.something");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let client = connect("http://127.0.0.1:1", VaultAuth::Token { file }, TIMEOUT);
    let refused = client.log_in().await.unwrap_err();
    assert_eq!(refused.fault, VaultFault::LoginFile);
    let cause = std::error::Error::source(&refused).unwrap().to_string();
    assert!(cause.contains("chmod 600"), "{cause}");
}
