//! A client assertion: a JWT in place of a secret, which the app signed by its certificate, or an outside issuer made.
//!
//! In the order of docs/sandbox.md: can it be read, for whom and by whom, when, and by which key. PS256 with
//! `x5t#S256` and the older RS256 with `x5t` are both taken; times may be numbers or numeric strings, thumbprints padded
//! or not, and certificates broken into lines, for clients of Microsoft's own write all of these.

use data_encoding::{BASE64, BASE64URL_NOPAD};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::aadsts::Aadsts;
use crate::directory::{App, FederatedCredential, Known};
use crate::keys::{AppKeys, Certificate, PublicKey};

/// How far two clocks may be apart.
const SKEW_SECONDS: i64 = 300;
const LOGIN_HOSTS: [&str; 4] = [
    "https://login.microsoftonline.com",
    "https://login.microsoftonline.us",
    "https://login.partner.microsoftonline.cn",
    "https://login.chinacloudapi.cn",
];

#[derive(Deserialize)]
struct Header {
    alg: String,
    x5t: Option<String>,
    #[serde(rename = "x5t#S256")]
    x5t_s256: Option<String>,
    x5c: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Claims {
    aud: Value,
    iss: String,
    sub: String,
    nbf: Option<Value>,
    exp: Option<Value>,
}

struct Assertion<'a> {
    header: Header,
    claims: Claims,
    signed: &'a str,
    signature: Vec<u8>,
}

/// Where the request was sent: an assertion that the app signed must be made out to it.
pub(crate) struct Endpoint<'a> {
    pub(crate) origin: &'a str,
    pub(crate) tenant: &'a str,
}

pub(crate) fn prove(
    text: &str,
    app: &App,
    known: &Known,
    endpoint: &Endpoint<'_>,
    now: Timestamp,
) -> Result<(), Aadsts> {
    let assertion =
        read(text).ok_or_else(|| Aadsts::assertion_malformed("It has no three parts of JSON."))?;
    let none = AppKeys::default();
    let keys = known.keys(&app.client_id).unwrap_or(&none);
    if assertion.claims.iss.eq_ignore_ascii_case(&app.client_id) {
        assertion.is_of_the_app(app, known, keys, endpoint, now)
    } else {
        assertion.is_federated(app, keys, now)
    }
}

fn read(text: &str) -> Option<Assertion<'_>> {
    let (signed, signature) = text.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let decode = |part: &str| BASE64URL_NOPAD.decode(part.trim_end_matches('=').as_bytes()).ok();
    Some(Assertion {
        header: serde_json::from_slice(&decode(header)?).ok()?,
        claims: serde_json::from_slice(&decode(claims)?).ok()?,
        signed,
        signature: decode(signature)?,
    })
}

impl Assertion<'_> {
    fn is_of_the_app(
        &self,
        app: &App,
        known: &Known,
        keys: &AppKeys,
        endpoint: &Endpoint<'_>,
        now: Timestamp,
    ) -> Result<(), Aadsts> {
        let unproven = |reason| Aadsts::assertion_unproven(&app.client_id, reason);
        if self.claims.sub != self.claims.iss {
            return Err(Aadsts::subject_is_not_issuer());
        }
        if !self.is_for(known, endpoint) {
            return Err(unproven("The audience of the assertion is not this endpoint."));
        }
        self.is_timely(now)?;
        let certificate = match self.registered(keys) {
            Some(certificate) => certificate,
            None => self.trusted_by_name(app)?.ok_or_else(|| unproven("The key was not found."))?,
        };
        if certificate.until <= now || certificate.from > now {
            return Err(unproven("The key used is expired or not valid yet."));
        }
        match self.is_signed_by(&certificate.key) {
            Some(true) => Ok(()),
            Some(false) => Err(unproven("Client assertion contains an invalid signature.")),
            None => Err(unproven("The algorithm is not supported.")),
        }
    }

    fn registered(&self, keys: &AppKeys) -> Option<Certificate> {
        let named = [&self.header.x5t, &self.header.x5t_s256];
        let is_named = |certificate: &&Certificate| {
            let is_own = |own: &str, named: &String| named.trim_end_matches('=') == own;
            let mut pairs = certificate.thumbprints.iter().zip(named);
            pairs.any(|(own, named)| named.as_ref().is_some_and(|named| is_own(own, named)))
        };
        keys.certificates.iter().find(is_named).cloned()
    }

    /// By the name of its subject, where the chain is sent and each certificate of it is signed by the next.
    fn trusted_by_name(&self, app: &App) -> Result<Option<Certificate>, Aadsts> {
        let Some(chain) = self.header.x5c.as_ref().filter(|_| !app.trusted_subjects.is_empty()) else {
            return Ok(None);
        };
        let read = |text: &String| {
            let dense: String = text.split_ascii_whitespace().collect();
            Certificate::read(&BASE64.decode(dense.as_bytes()).ok()?)
        };
        let chain: Vec<Certificate> = chain
            .iter()
            .map(read)
            .collect::<Option<_>>()
            .ok_or_else(|| Aadsts::assertion_malformed("Its x5c cannot be read."))?;
        let is_whole = chain.len() > 1 && chain.windows(2).all(|pair| pair[0].is_signed_by(&pair[1]));
        match chain.first().filter(|own| is_whole && app.trusted_subjects.contains(&own.subject)) {
            Some(own) => Ok(Some(own.clone())),
            None => Err(Aadsts::subject_name_refused()),
        }
    }

    fn is_federated(&self, app: &App, keys: &AppKeys, now: Timestamp) -> Result<(), Aadsts> {
        let Claims { iss, sub, .. } = &self.claims;
        let all: Vec<(&FederatedCredential, &Vec<PublicKey>)> =
            app.federated_credentials.iter().zip(&keys.issuers).collect();
        if all.is_empty() {
            return Err(Aadsts::not_federated(70_021, "", sub));
        }
        let of_issuer: Vec<_> = all.into_iter().filter(|(credential, _)| credential.issuer == *iss).collect();
        if of_issuer.is_empty() {
            return Err(Aadsts::not_federated(700_211, " issuer", iss));
        }
        let of_subject: Vec<_> =
            of_issuer.into_iter().filter(|(credential, _)| credential.subject == *sub).collect();
        if of_subject.is_empty() {
            return Err(Aadsts::not_federated(700_213, " subject", sub));
        }
        let audiences = self.audiences();
        let fits = |credential: &FederatedCredential| {
            credential.audiences.iter().any(|own| audiences.contains(&own.as_str()))
        };
        let Some((_, issuers)) = of_subject.into_iter().find(|(credential, _)| fits(credential)) else {
            return Err(Aadsts::not_federated(700_212, " audience", &audiences.join(" ")));
        };
        self.is_timely(now)?;
        let is_signed = issuers.iter().any(|key| self.is_signed_by(key) == Some(true));
        if issuers.is_empty() || is_signed { Ok(()) } else { Err(Aadsts::assertion_not_signed()) }
    }

    fn audiences(&self) -> Vec<&str> {
        match &self.claims.aud {
            Value::String(one) => vec![one],
            Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// The token endpoint as the client knows it: by this origin or Microsoft's, by the directory's GUID or a domain.
    fn is_for(&self, known: &Known, endpoint: &Endpoint<'_>) -> bool {
        let tenants = [endpoint.tenant.to_owned(), known.tenant_id.to_string()];
        let origins = LOGIN_HOSTS.into_iter().chain([endpoint.origin]);
        let mut wanted = origins.flat_map(|origin| {
            tenants.iter().flat_map(move |tenant| {
                ["oauth2/v2.0/token", "v2.0"].map(|path| format!("{origin}/{tenant}/{path}"))
            })
        });
        let audiences = self.audiences();
        wanted.any(|wanted| audiences.iter().any(|given| given.eq_ignore_ascii_case(&wanted)))
    }

    fn is_timely(&self, now: Timestamp) -> Result<(), Aadsts> {
        let seconds = |value: &Value| match value {
            Value::Number(number) => number.as_f64().and_then(whole),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        let from = self.claims.nbf.as_ref().map_or(Some(0), seconds);
        let until = self.claims.exp.as_ref().and_then(seconds);
        let (Some(from), Some(until)) = (from, until) else {
            return Err(Aadsts::assertion_malformed("Its times cannot be read."));
        };
        let now_seconds = now.as_second();
        if from > now_seconds + SKEW_SECONDS || until + SKEW_SECONDS <= now_seconds {
            return Err(Aadsts::assertion_untimely(now, from, until));
        }
        Ok(())
    }

    fn is_signed_by(&self, key: &PublicKey) -> Option<bool> {
        key.signed(&self.header.alg, self.signed.as_bytes(), &self.signature)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "seconds since 1970, held to what an i64 has")]
fn whole(seconds: f64) -> Option<i64> {
    (seconds.abs() < 1e15).then_some(seconds as i64)
}
