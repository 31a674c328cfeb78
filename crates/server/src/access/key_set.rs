//! An issuer's public keys, fetched when they are needed and as they change.
//!
//! Rules
//! - They come from the URL that the operator named, or from the one in the discovery document of the issuer that the operator named.
//!   Nothing in a token chooses an address. Redirects are not followed.
//! - They are fetched anew every [`FRESH_FOR`], before the next caller is let in, so that a key that was withdrawn ends. A key that is not
//!   among them may be new: then they are fetched at once, but so often only, whatever strangers show.
//! - While the issuer is away the keys of the last fetch hold, for [`KEPT_FOR`]; callers wait for one fetch in [`FRESH_FOR`] at most, and
//!   the others are tried behind their back.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::config::is_safe_url;
use crate::status::with_sources;

const FRESH_FOR: Duration = Duration::from_mins(5);
const KEPT_FOR: Duration = Duration::from_hours(24);
/// Between two fetches for keys that are not known, and between two that failed.
const ASK_GAP: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an answer. The largest issuers' have some 20 KB.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

pub(super) struct KeySet {
    http: reqwest::Client,
    issuer: String,
    url: Option<String>,
    state: RwLock<State>,
    /// One fetch at a time.
    fetching: Mutex<()>,
}

#[derive(Default, Clone)]
struct State {
    keys: Arc<[Jwk]>,
    fetched: Option<Instant>,
    /// When it was last asked for a key that was not there, or in vain.
    asked: Option<Instant>,
    /// When the last fetch was in vain.
    failed: Option<Instant>,
}

/// The issuer gave no keys.
#[derive(Debug)]
pub(super) struct NoKeys;

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct Keys {
    keys: Vec<serde_json::Value>,
}

impl KeySet {
    pub(super) fn new(http: reqwest::Client, issuer: String, url: Option<String>) -> Self {
        Self { http, issuer, url, state: RwLock::default(), fetching: Mutex::default() }
    }

    /// `None`: the issuer has no such key.
    pub(super) async fn find(
        self: &Arc<Self>,
        key_id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Option<DecodingKey>, NoKeys> {
        let state = self.state();
        let is_away = state.failed.is_some_and(|failed| failed.elapsed() < FRESH_FOR);
        match state.fetched.map(|fetched| fetched.elapsed()) {
            Some(age) if age < FRESH_FOR => {}
            Some(age) if age < KEPT_FOR && is_away => {
                let this = Arc::clone(self);
                tokio::spawn(async move { this.fetch_unless(FRESH_FOR).await });
            }
            _ => self.fetch_unless(FRESH_FOR).await,
        }
        if self.state().fetched.is_none_or(|fetched| fetched.elapsed() >= KEPT_FOR) {
            return Err(NoKeys);
        }
        if let Some(found) = self.state().key(key_id, algorithm) {
            return Ok(Some(found));
        }
        if self.may_ask() {
            self.fetch_unless(Duration::ZERO).await;
        }
        Ok(self.state().key(key_id, algorithm))
    }

    /// Whether the gap is over; it begins anew then.
    fn may_ask(&self) -> bool {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let may = state.asked.is_none_or(|asked| asked.elapsed() >= ASK_GAP);
        if may {
            state.asked = Some(Instant::now());
        }
        may
    }

    /// Unless they were fetched so lately, or in vain within the gap.
    async fn fetch_unless(&self, fresh: Duration) {
        let _one_at_a_time = self.fetching.lock().await;
        let before = self.state();
        let is_fresh = before.fetched.is_some_and(|fetched| fetched.elapsed() < fresh);
        let was_in_vain = !fresh.is_zero() && before.asked.is_some_and(|asked| asked.elapsed() < ASK_GAP);
        if is_fresh || was_in_vain {
            return;
        }
        let fetched = self.fetch().await;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        match fetched {
            Ok(keys) => {
                state.keys = keys.into();
                state.fetched = Some(Instant::now());
                state.failed = None;
            }
            Err(problem) => {
                state.asked = Some(Instant::now());
                state.failed = state.asked;
                tracing::warn!(
                    event = "issuer_keys_not_fetched",
                    problem,
                    "the issuer's keys could not be fetched"
                );
            }
        }
    }

    async fn fetch(&self) -> Result<Vec<Jwk>, String> {
        let url = match &self.url {
            Some(url) => url.clone(),
            None => self.discover().await?,
        };
        let keys: Keys = self.get(&url).await?;
        // One that is not understood is not for us.
        Ok(keys.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect())
    }

    async fn discover(&self) -> Result<String, String> {
        let url = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let found: Discovery = self.get(&url).await?;
        if found.issuer != self.issuer {
            return Err(format!("{url} is another issuer's"));
        }
        if !is_safe_url(&found.jwks_uri) {
            return Err(format!("{url} names keys that do not come over https"));
        }
        Ok(found.jwks_uri)
    }

    async fn get<T: DeserializeOwned>(&self, url: &str) -> Result<T, String> {
        let said = |error: reqwest::Error| format!("{url}: {}", with_sources(&error.without_url()));
        let mut answer = self.http.get(url).timeout(TIMEOUT).send().await.map_err(said)?;
        if answer.status() != http::StatusCode::OK {
            return Err(format!("{url} answered {}", answer.status()));
        }
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(said)? {
            body.extend_from_slice(&part);
            if body.len() > ANSWER_BYTES_MAX {
                return Err(format!("{url} answered more than {ANSWER_BYTES_MAX} bytes"));
            }
        }
        serde_json::from_slice(&body).map_err(|error| format!("{url} answered no such document: {error}"))
    }

    fn state(&self) -> State {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl State {
    /// Without an id it is the only one of its kind.
    fn key(&self, key_id: Option<&str>, algorithm: Algorithm) -> Option<DecodingKey> {
        let mut fitting = self
            .keys
            .iter()
            .filter(|key| fits(key, algorithm))
            .filter(|key| key_id.is_none_or(|key_id| key.common.key_id.as_deref() == Some(key_id)));
        match (fitting.next(), fitting.next()) {
            (Some(only), None) => DecodingKey::from_jwk(only).ok(),
            _ => None,
        }
    }
}

/// Whether the key is for signatures of this algorithm.
fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    use Algorithm as A;
    let of_its_kind = match &key.algorithm {
        AlgorithmParameters::RSA(_) => {
            matches!(algorithm, A::RS256 | A::RS384 | A::RS512 | A::PS256 | A::PS384 | A::PS512)
        }
        AlgorithmParameters::EllipticCurve(_) => matches!(algorithm, A::ES256 | A::ES384),
        AlgorithmParameters::OctetKeyPair(_) => algorithm == A::EdDSA,
        _ => false,
    };
    let signs = key.common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature);
    let named = key.common.key_algorithm.is_none_or(|named| named.to_string() == format!("{algorithm:?}"));
    of_its_kind && signs && named
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use axum::http::StatusCode;
    use axum::routing::get;
    use axum::{Json, Router};
    use serde_json::json;

    use super::*;

    /// An issuer of one key, which may be withdrawn.
    #[derive(Default)]
    struct Issuer {
        is_away: AtomicBool,
        has_withdrawn: AtomicBool,
    }

    impl Issuer {
        async fn serves(self: &Arc<Self>) -> Arc<KeySet> {
            let issuer = Arc::clone(self);
            let keys = get(move || async move {
                // RFC 8037, appendix A.2.
                let key = json!({"kty": "OKP", "crv": "Ed25519", "kid": "k1", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
                let keys = if issuer.has_withdrawn.load(Ordering::SeqCst) { json!([]) } else { json!([key]) };
                let is_away = issuer.is_away.load(Ordering::SeqCst);
                let status = if is_away { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
                (status, Json(json!({ "keys": keys })))
            });
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}/keys", listener.local_addr().unwrap());
            tokio::spawn(async { axum::serve(listener, Router::new().route("/keys", keys)).await });
            Arc::new(KeySet::new(reqwest::Client::default(), "issuer".to_owned(), Some(url)))
        }
    }

    async fn passes(time: Duration) {
        tokio::time::pause();
        tokio::time::advance(time).await;
        tokio::time::resume();
    }

    async fn is_known(keys: &Arc<KeySet>) -> bool {
        keys.find(Some("k1"), Algorithm::EdDSA).await.unwrap().is_some()
    }

    #[tokio::test]
    async fn a_withdrawn_key_lets_nobody_in_however_long_nobody_asked() {
        let issuer = Arc::new(Issuer::default());
        let keys = issuer.serves().await;
        assert!(is_known(&keys).await);
        issuer.has_withdrawn.store(true, Ordering::SeqCst);
        passes(FRESH_FOR).await;
        assert!(!is_known(&keys).await);
    }

    #[tokio::test]
    async fn while_the_issuer_is_away_its_keys_hold_for_a_day_and_no_longer() {
        let issuer = Arc::new(Issuer::default());
        let keys = issuer.serves().await;
        assert!(is_known(&keys).await);
        issuer.is_away.store(true, Ordering::SeqCst);
        for _ in 0..2 {
            passes(FRESH_FOR).await;
            assert!(is_known(&keys).await);
        }
        passes(KEPT_FOR).await;
        assert!(keys.find(Some("k1"), Algorithm::EdDSA).await.is_err());
    }
}
