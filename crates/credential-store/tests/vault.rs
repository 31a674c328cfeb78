//! Vault keeps every promise of a store, under exactly the policy that is handed out.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::time::Duration;

use jiff::Timestamp;
use postrider_credential_store::{
    Change, CredentialStore, CredentialStoreError, LocalKey, Vault as Client, VaultAuth,
    VaultCredentialStore, VaultError, VaultFault, VaultSettings, conformance,
};
use postrider_domain::{Credential, CredentialInfo, ResellerId};
use postrider_testkit::{MOUNT, PREFIX, Proxy, Vault, Weather, World};
use reqwest::Method;
use serde_json::{Value, json};

const TIMEOUT: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

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
    Change { id: uuid::Uuid::new_v4(), by: "a test".to_owned(), time: Timestamp::UNIX_EPOCH }
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
    let in_use = given.put("3").await;
    given.vault.is_written_by_hand("acme", &json!({"password": ["no", "credential"]})).await;
    let met = given.store.put_by_another_hand(&acme(), &in_use).await.unwrap_err();
    assert!(matches!(met, CredentialStoreError::Damaged { .. }), "{met}");
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
    let found = given.store.put_by_another_hand(&acme(), &in_use).await.unwrap();
    assert!(found.is_none(), "our own mark fits its content: {found:?}");
    let mut patched = given.vault.secret("acme").await["data"].clone();
    patched["client_secret"] = "by hand".into();
    given.vault.is_written_by_hand("acme", &patched).await;
    given.put("another orphan").await;
    let found = given.store.put_by_another_hand(&acme(), &in_use).await.unwrap().expect("by hand");
    assert!(given.store.get(&acme(), &found.version).await.is_ok());
    assert_ne!(found.fingerprint, in_use.fingerprint);
    given
        .vault
        .is_written_by_hand("acme", &json!({"client_secret": "x", "expire_time": "2030-01-01T00:00:00Z"}))
        .await;
    let bare =
        given.store.put_by_another_hand(&acme(), &found).await.unwrap().expect("by hand, without a mark");
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
    assert!(given.store.put_by_another_hand(&acme(), &old).await.unwrap().is_some());
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
    let again = async {
        // The next login waits a second after one that was refused.
        while store.put(&acme(), &secret("2"), &change()).await.is_err() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    postrider_testkit::in_time("the new token is taken", again).await;
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
