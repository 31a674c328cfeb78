//! Callers who show a token of the operator's identity provider (OIDC): a signed statement of who they are and what they may.
//!
//! Rules
//! - Of the configured issuer, for the configured audience, signed by one of the issuer's keys with one of [`ALGORITHMS`], not over, and not of
//!   the future. What is wrong is not told: to a caller all of it is one answer.
//! - What a token does not grant is not granted: without `postrider_scopes` nothing, without `postrider_resellers` nobody's.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use postrider_domain::{Clock, ResellerId};
use postrider_store::Scope;
use serde::Deserialize;

use super::caller::{ALL_RESELLERS, Grant};
use super::key_set::{KeySet, NoKeys};
use crate::status::Refusal;

/// Public keys alone: what is signed by a shared secret, or by nobody, is no statement of the issuer's.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// How far clocks may differ.
const LEEWAY: SignedDuration = SignedDuration::from_secs(60);
/// Characters of a subject, which names the caller in logs.
const SUBJECT_CHARS_MAX: usize = 128;

pub(crate) struct Tokens {
    keys: Arc<KeySet>,
    issuer: String,
    audience: String,
    clock: Arc<dyn Clock>,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: f64,
    nbf: Option<f64>,
    iat: Option<f64>,
    #[serde(default)]
    postrider_scopes: Words,
    #[serde(default)]
    postrider_resellers: Words,
}

/// A list, or words in a text as OAuth's `scope` has them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Words {
    Text(String),
    List(Vec<String>),
}

impl Default for Words {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl Words {
    fn iter(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        match self {
            Self::Text(text) => Box::new(text.split_ascii_whitespace()),
            Self::List(list) => Box::new(list.iter().map(String::as_str)),
        }
    }
}

impl Tokens {
    pub(crate) fn new(
        http: reqwest::Client,
        issuer: String,
        audience: String,
        keys_url: Option<String>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let keys = Arc::new(KeySet::new(http, issuer.clone(), keys_url));
        Self { keys, issuer, audience, clock }
    }

    /// What a token grants.
    pub(super) async fn grant(&self, token: &str) -> Result<Grant, Refusal> {
        let refused = |why: &str| {
            tracing::debug!(event = "token_refused", why, "a caller's token is refused");
            Refusal::Unauthenticated
        };
        let header = decode_header(token).map_err(|_| refused("it is no signed token"))?;
        if !ALGORITHMS.contains(&header.alg) || header.crit.is_some() {
            return Err(refused("its algorithm is not allowed"));
        }
        let key = match self.keys.find(header.kid.as_deref(), header.alg).await {
            Ok(key) => key.ok_or_else(|| refused("its key is not the issuer's"))?,
            Err(NoKeys) => return Err(Refusal::IssuerUnavailable),
        };
        let mut validation = Validation::new(header.alg);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Below, by our own clock.
        (validation.validate_exp, validation.validate_nbf) = (false, false);
        let claims = decode::<Claims>(token, &key, &validation);
        let claims = claims.map_err(|error| refused(&error.to_string()))?.claims;
        claims.grant(self.clock.now()).map_err(refused)
    }
}

impl Claims {
    fn grant(&self, now: Timestamp) -> Result<Grant, &'static str> {
        let end = time(self.exp)?.saturating_add(LEEWAY).map_err(|_| "its end is no time")?;
        if end <= now {
            return Err("it is over");
        }
        for begin in [self.nbf, self.iat].into_iter().flatten() {
            if time(begin)?.duration_since(now) > LEEWAY {
                return Err("it is of the future");
            }
        }
        let is_name = self.sub.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_name || self.sub.is_empty() || self.sub.len() > SUBJECT_CHARS_MAX {
            return Err("its subject is no name");
        }
        let all = self.postrider_resellers.iter().any(|word| word == ALL_RESELLERS);
        let named = self.postrider_resellers.iter().filter_map(|name| ResellerId::parse(name).ok());
        Ok(Grant {
            name: format!("oidc:{}", self.sub),
            scopes: self.postrider_scopes.iter().filter_map(Scope::parse).collect(),
            resellers: if all { None } else { Some(named.collect()) },
            end: Some(end),
        })
    }
}

/// Seconds since 1970, which may have fractions (RFC 7519).
fn time(seconds: f64) -> Result<Timestamp, &'static str> {
    let span = SignedDuration::try_from_secs_f64(seconds).map_err(|_| "a time in it is none")?;
    Timestamp::from_duration(span).map_err(|_| "a time in it is none")
}
