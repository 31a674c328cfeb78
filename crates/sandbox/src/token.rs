//! Access tokens: shaped like Entra's JWTs, but signed by nobody, so that they can be mistaken for nothing else.
//!
//! A token carries its rights, as a real one does: what is put into the directory later changes the next token,
//! not this one. The opaque form has no dots and cannot be read by a client that should not read tokens.

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::directory::{App, Known};

const GRAPH_AUDIENCES: [&str; 5] = [
    "https://graph.microsoft.com",
    "https://graph.microsoft.us",
    "https://dod-graph.microsoft.us",
    "https://microsoftgraph.chinacloudapi.cn",
    "00000003-0000-0000-c000-000000000000",
];
const SIGNATURE: &[u8] = b"unsigned: made by the sandbox of Postrider, worth nothing anywhere else";
const OPAQUE_PREFIX: &str = "EwBoA8l6BAAUpostridersandbox";
const KEY_ID: &str = "c2FuZGJveC1rZXktbm90LXNpZ25lZA";

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) aud: String,
    iss: String,
    iat: i64,
    nbf: i64,
    pub(crate) exp: i64,
    app_displayname: String,
    pub(crate) appid: String,
    appidacr: String,
    idp: String,
    idtyp: String,
    oid: String,
    /// Absent where nothing was consented to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) roles: Vec<String>,
    sub: String,
    pub(crate) tid: String,
    uti: String,
    ver: String,
}

impl Claims {
    pub(crate) fn new(
        known: &Known,
        app: &App,
        audience: &str,
        roles: Vec<String>,
        appidacr: &str,
        now: Timestamp,
    ) -> Claims {
        let tenant_id = known.tenant_id.to_string();
        let object_id = object_id(known.tenant_id, &app.client_id);
        let issuer = format!("https://sts.windows.net/{tenant_id}/");
        let issued = now.as_second();
        Claims {
            aud: audience.to_owned(),
            iss: issuer.clone(),
            iat: issued,
            nbf: issued,
            exp: issued.saturating_add(app.token_lifetime_seconds),
            app_displayname: "Mailer".to_owned(),
            appid: app.client_id.clone(),
            appidacr: appidacr.to_owned(),
            idp: issuer,
            idtyp: "app".to_owned(),
            oid: object_id.clone(),
            roles,
            sub: object_id,
            tid: tenant_id,
            uti: BASE64URL_NOPAD.encode(Uuid::new_v4().as_bytes()),
            ver: "1.0".to_owned(),
        }
    }

    pub(crate) fn is_for_graph(&self) -> bool {
        GRAPH_AUDIENCES.contains(&self.aud.as_str())
            || self.aud.starts_with("http://")
            || is_own_origin(&self.aud)
    }

    pub(crate) fn has_any(&self, roles: &[&str]) -> bool {
        self.roles.iter().any(|own| roles.contains(&own.as_str()))
    }

    /// The token in the form of a JWT.
    pub(crate) fn to_jwt(&self) -> Result<String, serde_json::Error> {
        let nonce = BASE64URL_NOPAD.encode(Uuid::new_v4().as_bytes());
        let header = json!({"typ": "JWT", "nonce": nonce, "alg": "RS256", "x5t": KEY_ID, "kid": KEY_ID});
        let header = BASE64URL_NOPAD.encode(header.to_string().as_bytes());
        let payload = BASE64URL_NOPAD.encode(&serde_json::to_vec(self)?);
        Ok(format!("{header}.{payload}.{}", BASE64URL_NOPAD.encode(SIGNATURE)))
    }

    /// The token in a form that nobody but Graph can read.
    pub(crate) fn to_opaque(&self) -> Result<String, serde_json::Error> {
        Ok(format!("{OPAQUE_PREFIX}{}", BASE64URL_NOPAD.encode(&serde_json::to_vec(self)?)))
    }

    pub(crate) fn read(token: &str) -> Option<Claims> {
        let payload = if let Some(opaque) = token.strip_prefix(OPAQUE_PREFIX) {
            opaque
        } else {
            let mut parts = token.split('.');
            let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
            parts.next().is_none().then_some(payload)?
        };
        serde_json::from_slice(&BASE64URL_NOPAD.decode(payload.as_bytes()).ok()?).ok()
    }
}

/// The audience that a scope such as `https://graph.microsoft.com/.default` asks for, if it is Graph's. A client whose
/// Graph is this sandbox may name it by the sandbox's own origin, where that is given.
pub(crate) fn audience<'a>(scope: &'a str, own_origin: Option<&str>) -> Option<&'a str> {
    let resource = scope.strip_suffix("/.default")?;
    let resource = resource.strip_suffix('/').unwrap_or(resource);
    let host = |origin: &str| origin.split_once("://").map(|(_, host)| host.to_ascii_lowercase());
    let is_own = own_origin.is_some_and(|own| host(own).is_some() && host(own) == host(resource));
    (GRAPH_AUDIENCES.contains(&resource) || is_own).then_some(resource)
}

/// `https://` and a port: no address of Microsoft's has one.
fn is_own_origin(audience: &str) -> bool {
    audience.strip_prefix("https://").is_some_and(|host| host.contains(':') || host == "localhost")
}

/// The object id of an enterprise application or a user: the same whenever this name meets this directory.
pub(crate) fn object_id(tenant_id: Uuid, name: &str) -> String {
    let hashed = digest(&SHA256, format!("{tenant_id} {}", name.to_lowercase()).as_bytes());
    let mut id = [0; 16];
    id.iter_mut().zip(hashed.as_ref()).for_each(|(id, hashed)| *id = *hashed);
    uuid::Builder::from_random_bytes(id).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_graphs_default_scope_names_an_audience() {
        let origin = Some("http://127.0.0.1:8025");
        assert_eq!(
            audience("https://graph.microsoft.com/.default", origin),
            Some("https://graph.microsoft.com")
        );
        assert_eq!(audience("http://127.0.0.1:8025/.default", origin), Some("http://127.0.0.1:8025"));
        assert_eq!(audience("https://graph.microsoft.com/Mail.Send", origin), None);
        assert_eq!(audience("https://outlook.office365.com/.default", origin), None);
        assert_eq!(audience("https://127.0.0.1:8025/.default", None), None);
        assert_eq!(audience("https://login.example/.default", Some("https://127.0.0.1:8025")), None);
        assert_eq!(audience("", origin), None);
    }

    #[test]
    fn what_is_no_token_of_ours_reads_as_nothing() {
        for token in [
            "",
            "a",
            "a.b",
            "a.b.c",
            "a.e30.c",
            "....",
            "EwBoA8l6BAAUpostridersandbox",
            "\u{e9}.\u{e9}.\u{e9}",
        ] {
            assert!(Claims::read(token).is_none(), "{token}");
        }
    }
}
