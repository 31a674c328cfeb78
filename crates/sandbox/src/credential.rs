//! The form of a token request, and how the client shows who it is: `client_secret` in the body or HTTP Basic, or
//! `client_assertion` (`assertion.rs`).

use std::collections::HashMap;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use data_encoding::BASE64;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;

use crate::aadsts::Aadsts;
use crate::assertion::{self, Endpoint};
use crate::directory::{App, Known};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A token request as far as it has been read. It holds a secret, so it does not print.
pub(crate) struct TokenForm {
    fields: HashMap<String, String>,
    basic: Option<(String, String)>,
}

impl TokenForm {
    pub(crate) fn read(headers: &HeaderMap, body: &[u8]) -> Option<TokenForm> {
        let body = std::str::from_utf8(body).ok()?;
        let mut fields = HashMap::new();
        for pair in body.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            fields.insert(form_decode(name)?, form_decode(value)?);
        }
        Some(TokenForm { fields, basic: basic(headers) })
    }

    /// A parameter that is there and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(crate) fn client_id(&self) -> Option<&str> {
        self.get("client_id").or(self.basic.as_ref().map(|(client_id, _)| client_id.as_str()))
    }

    fn secret(&self) -> Option<&str> {
        let basic =
            self.basic.as_ref().map(|(_, secret)| secret.as_str()).filter(|secret| !secret.is_empty());
        self.get("client_secret").or(basic)
    }

    /// By a secret or an assertion. `expired_since` is a scenario's earlier end of every secret. Gives `appidacr`, which
    /// tells the two apart in the token.
    pub(crate) fn prove(
        &self,
        app: &App,
        known: &Known,
        endpoint: &Endpoint<'_>,
        expired_since: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<&'static str, Aadsts> {
        if let Some(assertion) = self.get("client_assertion") {
            if self.get("client_assertion_type") != Some(ASSERTION_TYPE) {
                return Err(Aadsts::parameter_missing("client_assertion_type"));
            }
            return assertion::prove(assertion, app, known, endpoint, now).map(|()| "2");
        }
        self.prove_by_secret(app, expired_since, now).map(|()| "1")
    }

    /// None, wrong, expired: in this order.
    fn prove_by_secret(
        &self,
        app: &App,
        expired_since: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), Aadsts> {
        let Some(value) = self.secret() else { return Err(Aadsts::credential_missing()) };
        let Some(secret) =
            app.secrets.iter().find(|secret| secret.value == value && !secret.value.is_empty())
        else {
            return Err(Aadsts::secret_wrong(&app.client_id));
        };
        let ends = [secret.expire_time, expired_since].into_iter().flatten().min();
        if ends.is_some_and(|end| end <= now) { Err(Aadsts::secret_expired(&app.client_id)) } else { Ok(()) }
    }
}

fn form_decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// RFC 6749 §2.3.1: both halves are form-encoded before they are joined.
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let (scheme, value) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(BASE64.decode(value.trim().as_bytes()).ok()?).ok()?;
    let (client_id, secret) = pair.split_once(':')?;
    Some((form_decode(client_id)?, form_decode(secret)?))
}
