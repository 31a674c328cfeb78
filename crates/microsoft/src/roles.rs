//! What an access token says about itself. Advice for a diagnosis, never a ground for a decision: Microsoft calls the
//! token opaque, and an app that is scoped in Exchange (RBAC for Applications) rightly shows no `Mail.Send`.

use data_encoding::BASE64URL_NOPAD;
use postrider_domain::AccessToken;
use secrecy::ExposeSecret;
use serde_json::Value;

const CLAIM_CHARS_MAX: usize = 100;
const ROLES_MAX: usize = 100;

/// The claims worth showing. All empty where the token could not be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenRoles {
    /// Whether the token could be read at all; if not, nothing is known.
    pub is_known: bool,
    /// The application permissions that are consented to.
    pub roles: Vec<String>,
    /// `scp`: a delegated token, from the wrong flow.
    pub is_delegated: bool,
    /// `tid`: the directory that the token is for.
    pub directory: Option<String>,
    /// `appid` or `azp`.
    pub client: Option<String>,
    /// `oid`: the enterprise application's object ID, which Exchange's `New-ServicePrincipal` asks for.
    pub object: Option<String>,
}

impl TokenRoles {
    pub fn has(&self, role: &str) -> bool {
        self.roles.iter().any(|own| own == role)
    }
}

/// Reads the token without checking it; one that is no JWT gives "unknown", never an error.
pub fn roles(token: &AccessToken) -> TokenRoles {
    let claims = token.secret.expose_secret().split('.').nth(1).and_then(|part| {
        let json = BASE64URL_NOPAD.decode(part.trim_end_matches('=').as_bytes()).ok()?;
        serde_json::from_slice::<Value>(&json).ok().filter(Value::is_object)
    });
    claims.map(|claims| of_claims(&claims)).unwrap_or_default()
}

fn of_claims(claims: &Value) -> TokenRoles {
    let text = |name: &str| claims.get(name).and_then(Value::as_str).map(shown);
    let roles = claims.get("roles").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    TokenRoles {
        is_known: true,
        roles: roles.iter().filter_map(Value::as_str).take(ROLES_MAX).map(shown).collect(),
        is_delegated: claims.get("scp").is_some(),
        directory: text("tid"),
        client: text("appid").or_else(|| text("azp")),
        object: text("oid"),
    }
}

fn shown(text: &str) -> String {
    crate::http::shown(text, CLAIM_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> AccessToken {
        AccessToken { secret: text.to_owned().into(), expire_time: jiff::Timestamp::MAX }
    }

    fn jwt(claims: &str) -> AccessToken {
        token(&format!("eyJ0eXAiOiJKV1QifQ.{}.x", BASE64URL_NOPAD.encode(claims.as_bytes())))
    }

    #[test]
    fn an_app_only_token_tells_whose_it_is_and_what_it_may_do() {
        let read = roles(&jwt(r#"{"tid":"t","appid":"a","oid":"o","roles":["Mail.Send"],"idtyp":"app"}"#));
        assert!(read.is_known && read.has("Mail.Send") && !read.has("Mail.ReadWrite") && !read.is_delegated);
        assert_eq!(
            (read.directory, read.client, read.object),
            (Some("t".into()), Some("a".into()), Some("o".into()))
        );
        assert!(roles(&jwt(r#"{"scp":"Mail.Send"}"#)).is_delegated);
    }

    #[test]
    fn a_token_that_is_no_jwt_is_unknown_and_no_error() {
        for odd in ["", "opaque", "a.b.c", "a.!!.c", "..", "e.W10.s"] {
            assert_eq!(roles(&token(odd)), TokenRoles::default(), "{odd}");
        }
        assert_eq!(
            roles(&jwt(r#"{"roles":"Mail.Send","tid":7}"#)),
            TokenRoles { is_known: true, ..TokenRoles::default() }
        );
    }
}
