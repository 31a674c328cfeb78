//! How Microsoft is reached.

use std::path::PathBuf;
use std::time::Duration;

use http::Uri;
use postrider_domain::limits::{CALL_TIMEOUT_MAX, CALL_TIMEOUT_MIN};
use serde::{Deserialize, Deserializer, de};

use super::{Fault, span};

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Microsoft {
    /// An origin without a slash at its end. `None`: Microsoft's own, by the cloud of the settings.
    #[serde(deserialize_with = "origin")]
    pub login_url: Option<String>,
    #[serde(deserialize_with = "origin")]
    pub graph_url: Option<String>,
    /// A certificate authority to trust beside the system's.
    #[serde(deserialize_with = "path")]
    pub ca_file: Option<PathBuf>,
    #[serde(deserialize_with = "span::deserialize")]
    pub call_timeout: Duration,
}

impl Microsoft {
    pub(super) fn check(&self) -> Result<(), Fault> {
        if !(CALL_TIMEOUT_MIN..=CALL_TIMEOUT_MAX).contains(&self.call_timeout) {
            return Err(Fault { key: "microsoft.call_timeout", problem: "must be 1s to 5m".to_owned() });
        }
        match &self.ca_file {
            Some(path) if std::fs::File::open(path).is_err() => Err(Fault {
                key: "microsoft.ca_file",
                problem: format!("names {}, which cannot be read: name a PEM file, or none", path.display()),
            }),
            _ => Ok(()),
        }
    }
}

fn path<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
    let text = String::deserialize(from)?;
    Ok((!text.is_empty()).then(|| PathBuf::from(text)))
}

fn origin<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(from)?;
    if text.is_empty() {
        return Ok(None);
    }
    let uri: Uri = text.parse().map_err(|_| de::Error::custom(NOT_AN_ORIGIN))?;
    let host = uri.host().unwrap_or_default();
    let bare = uri.path() == "/"
        && uri.query().is_none()
        && uri.authority().is_some_and(|a| !a.as_str().contains('@'));
    match uri.scheme_str() {
        Some("https") if bare => {}
        Some("http") if bare && is_loopback(host) => {}
        Some("http") if bare => return Err(de::Error::custom(PLAINTEXT)),
        _ => return Err(de::Error::custom(NOT_AN_ORIGIN)),
    }
    Ok(Some(text.trim_end_matches('/').to_owned()))
}

const NOT_AN_ORIGIN: &str = "must be an origin without a path, such as https://login.microsoftonline.com";
const PLAINTEXT: &str =
    "would send credentials unencrypted over the network: use https, or a loopback address";

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|ip| ip.is_loopback())
}
