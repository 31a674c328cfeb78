//! An issuer's public keys, fetched when they are needed and as they change.
//!
//! Rules
//! - They come from the URL that the operator named, or from the one in the discovery document of the issuer that the operator named.
//!   Nothing in a token chooses an address. Redirects are not followed.
//! - They are fetched anew every [`FRESH_FOR`], behind the back of callers, so that a key that was withdrawn ends. A key that is not among them
//!   may be new: then they are fetched at once, but so often only, whatever strangers show.
//! - While the issuer is away the keys of the last fetch hold, for [`KEPT_FOR`].

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
        let age = self.state().fetched.map(|fetched| fetched.elapsed());
        match age {
            Some(age) if age < FRESH_FOR => {}
            Some(age) if age < KEPT_FOR => {
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
            }
            Err(problem) => {
                state.asked = Some(Instant::now());
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
