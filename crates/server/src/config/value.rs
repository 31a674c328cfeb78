//! Values that several sections have: paths, origins, words that may be left out.

use std::path::PathBuf;

use http::Uri;
use serde::{Deserialize, Deserializer};

/// Empty: none.
pub(super) fn path<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
    let text = String::deserialize(from)?;
    Ok((!text.is_empty()).then(|| PathBuf::from(text)))
}

/// Empty: none.
pub(super) fn word<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(from)?;
    Ok((!text.is_empty()).then_some(text))
}

/// An origin without the slash at its end; `example` is one. Plaintext stays on this machine.
pub(super) fn origin(text: &str, example: &str) -> Result<Option<String>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let not_an_origin = || format!("must be an origin without a path, such as {example}");
    let uri: Uri = text.parse().map_err(|_| not_an_origin())?;
    let host = uri.host().unwrap_or_default();
    let bare = uri.path() == "/"
        && uri.query().is_none()
        && uri.authority().is_some_and(|a| !a.as_str().contains('@'));
    match uri.scheme_str() {
        Some("https") if bare => {}
        Some("http") if bare && is_loopback(host) => {}
        Some("http") if bare => return Err(PLAINTEXT.to_owned()),
        _ => return Err(not_an_origin()),
    }
    Ok(Some(text.trim_end_matches('/').to_owned()))
}

const PLAINTEXT: &str =
    "would send credentials unencrypted over the network: use https, or a loopback address";

pub(super) fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|ip| ip.is_loopback())
}
