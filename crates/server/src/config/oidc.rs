//! Whose tokens let callers in.

use std::path::PathBuf;

use http::Uri;
use serde::Deserialize;

use super::{Fault, value};

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// `None`: nobody's.
    #[serde(deserialize_with = "value::word")]
    pub issuer: Option<String>,
    #[serde(deserialize_with = "value::word")]
    pub audience: Option<String>,
    /// `None`: where the issuer's discovery document says.
    #[serde(deserialize_with = "value::word")]
    pub jwks_url: Option<String>,
    #[serde(deserialize_with = "value::path")]
    pub ca_file: Option<PathBuf>,
}

impl Oidc {
    pub(super) fn check(&self) -> Result<(), Fault> {
        let fault = |key, problem: &str| Err(Fault { key, problem: problem.to_owned() });
        match (&self.issuer, &self.audience) {
            (Some(_), None) => {
                return fault("oidc.audience", "is needed by oidc.issuer: who else could tokens be for?");
            }
            (None, Some(_)) => return fault("oidc.issuer", "is needed by oidc.audience"),
            (None, None) if self.jwks_url.is_some() => {
                return fault("oidc.issuer", "is needed by oidc.jwks_url");
            }
            _ => {}
        }
        for (key, url) in [("oidc.issuer", &self.issuer), ("oidc.jwks_url", &self.jwks_url)] {
            if url.as_deref().is_some_and(|url| !is_safe_url(url)) {
                return fault(key, "must be an https URL without a query, or http on a loopback address");
            }
        }
        Ok(())
    }
}

/// Keys that come from there came from whom it names.
pub(crate) fn is_safe_url(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let host = uri.host().unwrap_or_default();
    let is_bare = uri.query().is_none() && uri.authority().is_some_and(|it| !it.as_str().contains('@'));
    match uri.scheme_str() {
        Some("https") => is_bare && !host.is_empty(),
        Some("http") => is_bare && value::is_loopback(host),
        _ => false,
    }
}
