//! Keys and what they open, over a store in memory and a clock that stands still.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, LazyLock, Mutex};

use async_trait::async_trait;
use http::{Request, Response};
use jiff::{SignedDuration, Timestamp};
use postrider_credential_store::{KeyPurpose, KeyedHash, LocalKey};
use postrider_domain::{Clock, ResellerId, TestClock};
use postrider_store::{AccessKey, AccessStore, KeyId, Scope, StoreError};
use secrecy::ExposeSecret;
use tokio::sync::Notify;
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use tower::{Layer, ServiceExt, service_fn};

use super::*;
use crate::metrics::Metrics;

static LOCAL_KEY: LazyLock<LocalKey> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    LocalKey::create(&dir.path().join("postrider.key")).unwrap()
});

pub(crate) fn pepper() -> KeyedHash {
    KeyedHash::new(&LOCAL_KEY, KeyPurpose::AccessKeys)
}

pub(crate) fn no_keys() -> Arc<dyn AccessStore> {
    Arc::new(Keys::default())
}

#[derive(Default)]
struct Keys {
    rows: Mutex<HashMap<KeyId, AccessKey>>,
    away: Mutex<bool>,
    touched: Notify,
}

#[async_trait]
impl AccessStore for Keys {
    async fn create_key(&self, key: AccessKey) -> Result<(), StoreError> {
        self.rows.lock().unwrap().insert(key.id.clone(), key);
        Ok(())
    }

    async fn find_key(&self, id: &KeyId) -> Result<Option<AccessKey>, StoreError> {
        if *self.away.lock().unwrap() {
            return Err(StoreError::Unavailable { cause: "unplugged".to_owned() });
        }
        Ok(self.rows.lock().unwrap().get(id).cloned())
    }

    async fn list_keys(&self) -> Result<Vec<AccessKey>, StoreError> {
        Ok(self.rows.lock().unwrap().values().cloned().collect())
    }

    async fn revoke_key(&self, id: &KeyId, now: Timestamp) -> Result<bool, StoreError> {
        Ok(self.rows.lock().unwrap().get_mut(id).map(|key| key.revoke_time = Some(now)).is_some())
    }

    async fn touch_key(&self, id: &KeyId, now: Timestamp) -> Result<(), StoreError> {
        self.rows.lock().unwrap().get_mut(id).unwrap().last_use_time = Some(now);
        self.touched.notify_one();
        Ok(())
    }

    async fn has_held_a_key(&self) -> Result<bool, StoreError> {
        Ok(!self.rows.lock().unwrap().is_empty())
    }
}

struct Given {
    keys: Arc<Keys>,
    clock: Arc<TestClock>,
    access: Arc<Access>,
}

impl Given {
    fn new() -> Self {
        Self::telling(refusals::tests::untold())
    }

    /// A certificate of `shop.example` lets in too.
    fn telling(refusals: Refusals) -> Self {
        let keys = Arc::new(Keys::default());
        let clock = Arc::new(TestClock::at(Timestamp::UNIX_EPOCH));
        let grant = Grant {
            name: "san:shop.example".to_owned(),
            scopes: vec![Scope::Send],
            resellers: None,
            end: None,
        };
        let client = ClientGrant { san: ClientName::parse("shop.example"), grant };
        let access = Access::new(keys.clone(), pepper(), clock.clone(), refusals).letting_in(&[client]);
        Self { keys, clock, access: Arc::new(access) }
    }

    async fn key(&self, scopes: &[Scope], resellers: &[&str], expires: Option<Timestamp>) -> (KeyId, String) {
        let resellers = resellers.iter().map(|name| ResellerId::parse(name).unwrap()).collect();
        let Minted { id, hash, text } = self.access.mint().unwrap();
        let key = AccessKey {
            id: id.clone(),
            name: "test".to_owned(),
            hash,
            scopes: scopes.to_vec(),
            resellers,
            create_time: Timestamp::UNIX_EPOCH,
            expire_time: expires,
            last_use_time: None,
            revoke_time: None,
        };
        self.keys.create_key(key).await.unwrap();
        (id, format!("Bearer {}", text.expose_secret()))
    }

    async fn revoke(&self, id: &KeyId) {
        self.keys.revoke_key(id, self.clock.now()).await.unwrap();
        self.access.forget(id);
    }

    async fn caller(&self, scopes: &[Scope], resellers: &[&str]) -> Caller {
        let (_, authorization) = self.key(scopes, resellers, None).await;
        self.shows(&authorization).await.unwrap()
    }

    async fn shows(&self, authorization: &str) -> Result<Caller, Refusal> {
        let right = self.access.authenticate(authorization.as_bytes()).await;
        let right = right.map_err(|turned_away| turned_away.refusal)?;
        Ok(Caller { right, source: None })
    }

    async fn reason(&self, authorization: &str) -> String {
        match self.shows(authorization).await {
            Ok(_) => "welcome".to_owned(),
            Err(refusal) => refusal.reason().to_owned(),
        }
    }

    /// What comes of a call through the layer; the inner service answers UNKNOWN with the name of the caller's first scope.
    async fn calls(&self, path: &str, authorization: &[&str]) -> Status {
        self.calls_where(false, path, authorization).await
    }

    async fn calls_where(&self, open_reflection: bool, path: &str, authorization: &[&str]) -> Status {
        let inner = service_fn(|request: Request<Body>| async move {
            assert!(request.headers().get("authorization").is_none(), "the key went on");
            let who = request.extensions().get::<Caller>().map_or("nobody", first_scope);
            Ok::<_, Infallible>(Status::unknown(who).into_http())
        });
        let service = AccessLayer::new(self.access.clone(), Arc::new(Metrics::new(false)), open_reflection)
            .layer(inner);
        let mut request = Request::builder().uri(path);
        for value in authorization {
            request = request.header("authorization", *value);
        }
        let response: Response<Body> = service.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        Status::from_header_map(response.headers()).unwrap()
    }
}

fn first_scope(caller: &Caller) -> &'static str {
    Scope::ALL.into_iter().rev().find(|scope| caller.has(*scope)).map_or("none", Scope::as_str)
}

const SEND: &str = "/postrider.v1.MailService/SendMail";

#[tokio::test]
async fn no_key_a_wrong_one_an_expired_one_and_a_revoked_one_are_one_answer() {
    let given = Given::new();
    let (_, good) = given.key(&[Scope::Send], &[], None).await;
    let (_, expired) = given.key(&[Scope::Send], &[], Some(Timestamp::UNIX_EPOCH)).await;
    let (revoked_id, revoked) = given.key(&[Scope::Send], &[], None).await;
    given.revoke(&revoked_id).await;
    let stranger = Given::new().key(&[Scope::Send], &[], None).await.1;
    assert_eq!(given.reason(&good).await, "welcome");
    for bad in ["", "Bearer ", "Bearer pr_x_y", "Basic Zm9v", &stranger, &expired, &revoked] {
        assert_eq!(given.reason(bad).await, "UNAUTHENTICATED");
    }
}

fn certificate(name: ClientName) -> Shown {
    let end = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(60);
    Shown { authorization: Vec::new(), names: Some(ClientNames { names: [name].into(), end }) }
}

#[tokio::test]
async fn a_certificate_lets_in_until_its_end_however_long_its_connection_is_open() {
    let given = Given::new();
    let shown = certificate(ClientName::Dns("shop.example".to_owned()));
    let caller = given.access.admit(SEND, &shown, None).await.unwrap();
    assert!(given.access.look_again(&caller).await.is_ok());
    given.clock.advance(SignedDuration::from_secs(60));
    let late = given.access.admit(SEND, &shown, None).await.unwrap_err();
    assert_eq!(late.reason(), "UNAUTHENTICATED");
    let watching = given.access.look_again(&caller).await.unwrap_err();
    assert_eq!(watching.reason(), "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_uri_is_no_dns_name_of_the_same_text() {
    let given = Given::new();
    let shown = certificate(ClientName::Uri("shop.example".to_owned()));
    assert_eq!(given.access.admit(SEND, &shown, None).await.unwrap_err().reason(), "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_refusal_tells_whose_key_it_was_where_that_is_proven_and_no_word_of_a_strangers() {
    let (refusals, mut told) = refusals::tests::told();
    let given = Given::telling(refusals);
    let (expired_id, expired) = given.key(&[Scope::Send], &[], Some(Timestamp::UNIX_EPOCH)).await;
    let (revoked_id, revoked) = given.key(&[Scope::Send], &[], None).await;
    given.revoke(&revoked_id).await;
    let forged = [expired.rsplit_once('_').unwrap().0, revoked.rsplit_once('_').unwrap().1].join("_");
    for (shown, actor) in [(expired, expired_id.as_str()), (revoked, revoked_id.as_str()), (forged, "")] {
        assert_eq!(given.calls(SEND, &[&shown]).await.code(), Code::Unauthenticated);
        assert_eq!(told.recv().await.unwrap().actor, actor);
    }
    given.clock.advance(SignedDuration::from_secs(60));
    let shown = certificate(ClientName::Dns("shop.example".to_owned()));
    given.access.admit(SEND, &shown, None).await.unwrap_err();
    assert_eq!(told.recv().await.unwrap().actor, "san:shop.example");
}

#[tokio::test]
async fn a_refusal_tells_each_reseller_that_a_known_caller_named() {
    let (refusals, mut told) = refusals::tests::told();
    let given = Given::telling(refusals);
    let caller = given.caller(&[Scope::Send], &["acme"]).await;
    for name in ["globex", "initech"] {
        given.access.denied(SEND, &caller, ResellerClaim::One(name).reseller().as_ref());
        let act = told.recv().await.unwrap();
        assert_eq!((act.details["asked_for"].as_str(), act.resellers.len()), (name, 0));
    }
}

#[tokio::test]
async fn a_key_revoked_here_is_refused_at_once_and_one_revoked_elsewhere_within_a_second() {
    let given = Given::new();
    let (here, here_text) = given.key(&[Scope::Send], &[], None).await;
    let (elsewhere, elsewhere_text) = given.key(&[Scope::Send], &[], None).await;
    assert_eq!(given.reason(&here_text).await, "welcome");
    assert_eq!(given.reason(&elsewhere_text).await, "welcome");
    given.revoke(&here).await;
    assert_eq!(given.reason(&here_text).await, "UNAUTHENTICATED");
    given.keys.revoke_key(&elsewhere, Timestamp::UNIX_EPOCH).await.unwrap();
    given.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(given.reason(&elsewhere_text).await, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_key_stops_at_its_end_even_when_it_was_just_read() {
    let given = Given::new();
    let end = Timestamp::UNIX_EPOCH + SignedDuration::from_millis(100);
    let (_, text) = given.key(&[Scope::Send], &[], Some(end)).await;
    assert_eq!(given.reason(&text).await, "welcome");
    given.clock.advance(SignedDuration::from_millis(100));
    assert_eq!(given.reason(&text).await, "UNAUTHENTICATED");
}

#[tokio::test]
async fn with_the_store_away_a_good_key_is_not_called_a_bad_one() {
    let given = Given::new();
    let (_, text) = given.key(&[Scope::Send], &[], None).await;
    *given.keys.away.lock().unwrap() = true;
    assert_eq!(given.reason(&text).await, "STORE_UNAVAILABLE");
}

#[tokio::test]
async fn the_last_use_is_written_down_once_a_minute() {
    let given = Given::new();
    let (id, text) = given.key(&[Scope::Send], &[], None).await;
    let last_use = || given.keys.rows.lock().unwrap()[&id].last_use_time;
    given.reason(&text).await;
    given.keys.touched.notified().await;
    assert_eq!(last_use(), Some(Timestamp::UNIX_EPOCH));
    given.clock.advance(SignedDuration::from_secs(59));
    given.reason(&text).await;
    given.clock.advance(SignedDuration::from_secs(1));
    given.reason(&text).await;
    given.keys.touched.notified().await;
    assert_eq!(last_use(), Some(Timestamp::UNIX_EPOCH + SignedDuration::from_secs(60)));
}

#[tokio::test]
async fn a_call_is_refused_before_it_is_routed_and_its_scope_before_its_body_is_read() {
    let given = Given::new();
    let (_, reader) = given.key(&[Scope::Read], &[], None).await;
    let (_, admin) = given.key(&[Scope::Admin], &[], None).await;
    let refused = given.calls("/no.such.Service/Method", &[]).await;
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert_eq!(refused.get_error_details().error_info().unwrap().reason, "UNAUTHENTICATED");
    let denied = given.calls(SEND, &[&reader]).await;
    assert_eq!(denied.get_error_details().error_info().unwrap().reason, "ACCESS_DENIED");
    assert_eq!(given.calls(SEND, &[&admin]).await.message(), "admin");
    assert_eq!(given.calls("/no.such.Service/Method", &[&reader]).await.message(), "read");
    assert_eq!(given.calls(SEND, &[&admin, &admin]).await.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn health_needs_no_key_and_reflection_none_where_it_is_open() {
    let given = Given::new();
    let reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    assert_eq!(given.calls("/grpc.health.v1.Health/Check", &[]).await.message(), "nobody");
    assert_eq!(given.calls_where(true, reflection, &[]).await.message(), "nobody");
    assert_eq!(given.calls(reflection, &[]).await.code(), Code::Unauthenticated);
    let (_, key) = given.key(&[Scope::Test], &[], None).await;
    assert_eq!(given.calls(reflection, &[&key]).await.message(), "test");
}

#[tokio::test]
async fn a_bound_key_reaches_its_resellers_and_no_other_name() {
    let given = Given::new();
    let bound = given.caller(&[Scope::Send], &["acme", "globex"]).await;
    let free = given.caller(&[Scope::Send], &[]).await;
    let allowed = |caller: &Caller, claim| authorise(caller, SEND, claim).is_ok();
    for own in ["acme", "globex"] {
        assert!(allowed(&bound, ResellerClaim::One(own)));
    }
    for other in ["initech", "", "ACME", "acme ", "no such/thing"] {
        assert!(!allowed(&bound, ResellerClaim::One(other)), "{other:?}");
        assert!(allowed(&free, ResellerClaim::One(other)), "validation says what is wrong with {other:?}");
    }
}

#[tokio::test]
async fn a_bound_key_makes_keys_within_its_resellers_only() {
    let given = Given::new();
    let create = "/postrider.v1.AccessService/CreateKey";
    let bound = given.caller(&[Scope::Admin], &["acme", "globex"]).await;
    let free = given.caller(&[Scope::Admin], &[]).await;
    let names = |of: &[&str]| of.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    for (asked, within) in [(&["acme"][..], true), (&["acme", "initech"], false), (&[], false)] {
        let asked = names(asked);
        assert_eq!(authorise(&bound, create, ResellerClaim::Each(&asked)).is_ok(), within, "{asked:?}");
        assert!(authorise(&free, create, ResellerClaim::Each(&asked)).is_ok());
    }
}

#[tokio::test]
async fn what_is_not_in_the_table_or_claims_another_reach_is_denied() {
    let given = Given::new();
    let admin = given.caller(&[Scope::Admin], &[]).await;
    assert!(authorise(&admin, "/postrider.v1.MailService/Unheard", ResellerClaim::Mine).is_err());
    assert!(authorise(&admin, SEND, ResellerClaim::Mine).is_err());
    assert!(authorise(&admin, SEND, ResellerClaim::One("acme")).is_ok());
}

#[tokio::test]
async fn the_admin_key_is_made_once_for_its_owner_alone_and_opens_everything() {
    use std::os::unix::fs::PermissionsExt;

    let given = Given::new();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("admin.key");
    let pepper = pepper();
    let make = || make_admin_key(given.keys.as_ref(), &pepper, given.clock.as_ref(), &file);
    std::fs::write(&file, "left by a start that was killed").unwrap();
    assert!(make().await.unwrap());
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&file).unwrap();
    let caller = given.shows(&format!("Bearer {text}")).await.unwrap();
    assert!(Scope::ALL.into_iter().all(|scope| caller.has(scope)));
    assert_eq!(caller.resellers(), None);
    given.revoke(&KeyId::of_text(caller.name())).await;
    assert!(!make().await.unwrap(), "a revoked one is not made again");
}
