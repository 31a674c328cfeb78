//! Entra: is there such a directory, and an access token for an app in it.
//!
//! How long a token may be used is ours to bound: an answer without a life, or with an absurd one, neither makes a
//! token immortal nor makes every message ask for a new one.

use std::time::Duration;

use jiff::Timestamp;
use postrider_domain::{
    AccessToken, Certificate, ClientId, Cloud, Credential, DirectoryId, Finding, FindingCode, TokenRefusal,
    limits,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::aadsts::{EntraAnswer, refusal, unreachable};
use crate::assertion::BrokenKey;
use crate::{Call, Microsoft, assertion, cloud, http};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What a token without a sound life is given.
const LIFE_UNKNOWN: Duration = Duration::from_mins(10);
/// Less than this would ask Entra again for nearly every message, until it throttles.
const LIFE_MIN: Duration = Duration::from_secs(1);
/// Entra's longest are 28 hours; a day is enough.
const LIFE_MAX: Duration = Duration::from_hours(24);

const _: () =
    assert!(LIFE_MIN.as_secs() < LIFE_UNKNOWN.as_secs() && LIFE_UNKNOWN.as_secs() < LIFE_MAX.as_secs());

/// What Entra tells anybody of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovered {
    /// Its ID (a GUID), also where a domain was asked for.
    pub directory: Option<DirectoryId>,
    /// Entra's region, such as `EU` or `USGov`.
    pub region: Option<String>,
    /// The cloud that the directory says it belongs to, perhaps another than the one that was asked.
    pub cloud: Option<Cloud>,
}

impl Microsoft {
    /// Asks whether the directory exists. Needs no credential.
    pub async fn discover(&self, cloud: Cloud, directory: &DirectoryId) -> Result<Discovered, Finding> {
        let request = self.http.get(self.hosts.discovery(cloud, directory)).timeout(limits::TOKEN_TIMEOUT);
        let asked = self.observed(Call::Discovery, http::send(request)).await;
        let response = asked.map_err(|no_answer| unreachable(&no_answer))?;
        let now = self.clock.now();
        let answer = EntraAnswer::read(response, now).await;
        let document = answer.json().filter(|_| answer.status == 200);
        document.map(|document| discovered(&document)).ok_or_else(|| *refusal(&answer, None, now).finding)
    }

    /// Asks for an access token for Graph. Not cached here.
    ///
    /// An assertion that Entra finds untimely is made again by Entra's own clock, once.
    pub async fn token(
        &self,
        cloud: Cloud,
        directory: &DirectoryId,
        client: &ClientId,
        proof: &Proof<'_>,
    ) -> Result<AccessToken, TokenRefusal> {
        let asked = self.clock.now();
        let ask = Ask { cloud, directory, client, proof };
        let mut answer = self.ask(&ask, asked).await?;
        if let (Proof::Certificate(_), Some(skew)) = (proof, answer.untimely(asked)) {
            answer = self.ask(&ask, asked.saturating_add(skew).unwrap_or(asked)).await?;
        }
        issued(&answer, asked).ok_or_else(|| refusal(&answer, Some(proof), asked))
    }

    /// `now` is the time that an assertion is made for.
    async fn ask(&self, ask: &Ask<'_>, now: Timestamp) -> Result<EntraAnswer, TokenRefusal> {
        let url = self.hosts.token(ask.cloud, ask.directory);
        let scope = cloud::scope(ask.cloud);
        let proof = ask.proof.fields(ask.client, &url, now).map_err(|BrokenKey| TokenRefusal {
            finding: Box::new(
                Finding::new(FindingCode::CertificateWrong).with("reason", "its private key cannot sign"),
            ),
            retry_after: None,
        })?;
        let mut form =
            vec![("client_id", ask.client.as_str()), ("grant_type", "client_credentials"), ("scope", &scope)];
        form.extend(proof.iter().map(|(name, value)| (*name, value.expose_secret())));
        let request = self.http.post(url).form(&form).timeout(limits::TOKEN_TIMEOUT);
        let asked = self.observed(Call::Token, http::send(request)).await;
        let response = asked.map_err(|no_answer| TokenRefusal {
            finding: Box::new(unreachable(&no_answer)),
            retry_after: None,
        })?;
        Ok(EntraAnswer::read(response, self.clock.now()).await)
    }
}

/// One request for a token.
struct Ask<'a> {
    cloud: Cloud,
    directory: &'a DirectoryId,
    client: &'a ClientId,
    proof: &'a Proof<'a>,
}

/// By what the app proves itself. `Debug` shows no secret.
#[derive(Debug)]
pub enum Proof<'a> {
    ClientSecret(&'a SecretString),
    Certificate(&'a Certificate),
    /// A JWT that an outside issuer made.
    Assertion(SecretString),
}

impl Proof<'_> {
    /// What is wrong with a secret as far as looking at it tells.
    pub(crate) fn looks_wrong(&self, now: Timestamp) -> Option<Finding> {
        let Self::ClientSecret(value) = self else { return None };
        let credential = Credential::ClientSecret { value: (*value).clone(), expire_time: None };
        credential.looks_wrong(now)
    }

    /// The form fields that show it. `audience` is the endpoint that is asked.
    fn fields(
        &self,
        client: &ClientId,
        audience: &str,
        now: Timestamp,
    ) -> Result<Vec<(&'static str, SecretString)>, BrokenKey> {
        let assertion = match self {
            Self::ClientSecret(value) => return Ok(vec![("client_secret", (*value).clone())]),
            Self::Certificate(certificate) => assertion::sign(certificate, client, audience, now)?,
            Self::Assertion(assertion) => assertion.clone(),
        };
        Ok(vec![
            ("client_assertion_type", SecretString::from(ASSERTION_TYPE)),
            ("client_assertion", assertion),
        ])
    }
}

/// The token of a 200, if it holds one that can be used.
pub(crate) fn issued(answer: &EntraAnswer, asked: Timestamp) -> Option<AccessToken> {
    let mut json = answer.json().filter(|_| answer.status == 200)?;
    let life = life(json.get("expires_in"));
    let Value::String(token) = json.get_mut("access_token")?.take() else { return None };
    let token = Zeroizing::new(token);
    if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return None;
    }
    let expire_time = asked.saturating_add(life).unwrap_or(Timestamp::MAX);
    Some(AccessToken { secret: SecretString::from(token.as_str()), expire_time })
}

/// `expires_in` is a number at Entra, and text at its relatives.
fn life(expires_in: Option<&Value>) -> Duration {
    let seconds = match expires_in {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        _ => None,
    };
    let life = seconds.map(|seconds: f64| Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(LIFE_MAX));
    life.unwrap_or(LIFE_UNKNOWN).clamp(LIFE_MIN, LIFE_MAX)
}

pub(crate) fn discovered(document: &Value) -> Discovered {
    let text = |name: &str| document.get(name).and_then(Value::as_str);
    let issuer = text("issuer").unwrap_or_default();
    let directory =
        issuer.split('/').filter_map(|part| DirectoryId::parse(part).ok()).find(DirectoryId::is_guid);
    Discovered {
        directory,
        region: text("tenant_region_scope").map(|region| http::shown(region, 20)),
        cloud: text("msgraph_host").and_then(cloud::of_graph_host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_tokens_life_is_bounded_whatever_the_answer_says() {
        let minutes = Duration::from_mins;
        for (expires_in, expected) in [
            (json!(3599), Duration::from_secs(3599)),
            (json!("3599"), Duration::from_secs(3599)),
            (json!(3599.5), Duration::from_millis(3_599_500)),
            (json!(0), LIFE_MIN),
            (json!(-1), LIFE_MIN),
            (json!(1e300), LIFE_MAX),
            (json!(u64::MAX), LIFE_MAX),
            (json!("soon"), minutes(10)),
            (json!(null), minutes(10)),
            (json!([3599]), minutes(10)),
            (json!("NaN"), LIFE_MIN),
        ] {
            assert_eq!(life(Some(&expires_in)), expected, "{expires_in}");
        }
        assert_eq!(life(None), minutes(10));
    }

    #[test]
    fn discovery_tells_the_directorys_id_and_cloud() {
        let found = discovered(&json!({
            "issuer": "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0",
            "tenant_region_scope": "USGov",
            "msgraph_host": "graph.microsoft.us",
        }));
        assert_eq!(found.directory.expect("a GUID").as_str(), "11111111-2222-3333-4444-555555555555");
        assert_eq!((found.region.as_deref(), found.cloud), (Some("USGov"), Some(Cloud::UsGovHigh)));
        assert_eq!(discovered(&json!({})), Discovered { directory: None, region: None, cloud: None });
    }
}
