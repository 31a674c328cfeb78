//! What is told to those who watch over the service.

use http::Uri;
use serde::{Deserialize, Deserializer, de};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// Whether metrics tell whose they are.
    pub reseller_labels: bool,
    /// The collector that gets traces; `None`: there are none.
    #[serde(deserialize_with = "collector")]
    pub otlp_endpoint: Option<Uri>,
}

fn collector<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Uri>, D::Error> {
    let text = String::deserialize(from)?;
    if text.is_empty() {
        return Ok(None);
    }
    let is_origin = |uri: &Uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some() && uri.path() == "/"
    };
    let uri = text.parse().ok().filter(is_origin);
    uri.map(Some).ok_or_else(|| de::Error::custom("must be empty or an origin such as http://127.0.0.1:4317"))
}
