//! HashiCorp Vault: where it is, who Postrider is to it, and where in it credentials lie.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

use super::{Fault, span, value};

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vault {
    /// `None`: there is no Vault.
    #[serde(deserialize_with = "address")]
    pub address: Option<String>,
    #[serde(deserialize_with = "value::path")]
    pub ca_file: Option<PathBuf>,
    #[serde(deserialize_with = "value::word")]
    pub namespace: Option<String>,
    pub auth: AuthMethod,
    /// `None`: that of the method.
    #[serde(deserialize_with = "value::word")]
    pub auth_mount: Option<String>,
    #[serde(deserialize_with = "value::path")]
    pub token_file: Option<PathBuf>,
    pub role: String,
    #[serde(deserialize_with = "value::path")]
    pub jwt_file: Option<PathBuf>,
    pub role_id: String,
    #[serde(deserialize_with = "value::path")]
    pub secret_id_file: Option<PathBuf>,
    pub secret_id_wrapped: bool,
    #[serde(deserialize_with = "value::path")]
    pub certificate_file: Option<PathBuf>,
    #[serde(deserialize_with = "value::path")]
    pub key_file: Option<PathBuf>,
    pub mount: String,
    pub prefix: String,
    pub transit_mount: String,
    pub transit_key: String,
    #[serde(deserialize_with = "span::deserialize")]
    pub timeout: Duration,
    #[serde(deserialize_with = "span::deserialize")]
    pub watch_interval: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMethod {
    Token,
    AppRole,
    Jwt,
    Certificate,
}

const TIMEOUT_MIN: Duration = Duration::from_millis(100);
const TIMEOUT_MAX: Duration = Duration::from_mins(1);
const WATCH_MIN: Duration = Duration::from_secs(1);
const WATCH_MAX: Duration = Duration::from_hours(24);

impl Vault {
    /// Shape alone, since a Vault that is named need not be used. What is needed is told by [`Self::check_complete`].
    pub(super) fn check(&self) -> Result<(), Fault> {
        let paths = [
            ("vault.mount", &self.mount),
            ("vault.prefix", &self.prefix),
            ("vault.transit_mount", &self.transit_mount),
            ("vault.transit_key", &self.transit_key),
        ];
        let optional = [("vault.auth_mount", &self.auth_mount), ("vault.namespace", &self.namespace)];
        let given = optional.iter().filter_map(|(key, value)| Some((*key, value.as_ref()?)));
        if let Some((key, _)) = paths.into_iter().chain(given).find(|(_, value)| !is_path(value)) {
            let problem = "must be letters, digits, `-`, `_` and `.`, parted by single slashes".to_owned();
            return Err(Fault { key, problem });
        }
        if !(TIMEOUT_MIN..=TIMEOUT_MAX).contains(&self.timeout) {
            return Err(Fault { key: "vault.timeout", problem: "must be 100ms to 1m".to_owned() });
        }
        if !(WATCH_MIN..=WATCH_MAX).contains(&self.watch_interval) {
            return Err(Fault { key: "vault.watch_interval", problem: "must be 1s to 24h".to_owned() });
        }
        match &self.ca_file {
            Some(path) if std::fs::File::open(path).is_err() => Err(Fault {
                key: "vault.ca_file",
                problem: format!("names {}, which cannot be read: name a PEM file, or none", path.display()),
            }),
            _ => Ok(()),
        }
    }

    /// Whether all is there that its auth method needs.
    pub(super) fn check_complete(&self) -> Result<(), Fault> {
        let needed: &[(&'static str, bool)] = match self.auth {
            AuthMethod::Token => &[("vault.token_file", self.token_file.is_some())],
            AuthMethod::AppRole => &[
                ("vault.role_id", !self.role_id.is_empty()),
                ("vault.secret_id_file", self.secret_id_file.is_some()),
            ],
            AuthMethod::Jwt => {
                &[("vault.role", !self.role.is_empty()), ("vault.jwt_file", self.jwt_file.is_some())]
            }
            AuthMethod::Certificate => &[
                ("vault.certificate_file", self.certificate_file.is_some()),
                ("vault.key_file", self.key_file.is_some()),
            ],
        };
        let missing =
            [("vault.address", self.address.is_some())].iter().chain(needed).find(|(_, is)| !is).copied();
        let Some((key, _)) = missing else { return Ok(()) };
        let auth = self.auth.as_str();
        let problem =
            format!("must be set, since credentials.store or credentials.key needs Vault (auth {auth})");
        Err(Fault { key, problem })
    }

    pub fn auth_mount(&self) -> &str {
        self.auth_mount.as_deref().unwrap_or(self.auth.as_str())
    }
}

impl AuthMethod {
    fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::AppRole => "approle",
            Self::Jwt => "jwt",
            Self::Certificate => "cert",
        }
    }
}

impl<'de> Deserialize<'de> for AuthMethod {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let all = [Self::Token, Self::AppRole, Self::Jwt, Self::Certificate];
        let found = all.into_iter().find(|method| method.as_str() == text);
        found.ok_or_else(|| de::Error::custom("must be token, approle, jwt or cert"))
    }
}

fn address<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(from)?;
    value::origin(&text, "https://vault.example:8200").map_err(de::Error::custom)
}

/// It goes into addresses and headers as it is.
fn is_path(text: &str) -> bool {
    text.split('/').all(|part| {
        !part.is_empty()
            && part != ".."
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    })
}

#[cfg(test)]
mod tests {
    use super::is_path;

    #[test]
    fn a_path_has_no_part_that_means_something_else() {
        for good in ["secret", "kv/mail", "team-1/prod_2.x"] {
            assert!(is_path(good), "{good}");
        }
        for bad in ["", "/kv", "kv/", "a//b", "a/../b", "a b", "a?b", "a%2fb"] {
            assert!(!is_path(bad), "{bad}");
        }
    }
}
