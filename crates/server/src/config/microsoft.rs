//! How Microsoft is reached.

use std::path::PathBuf;
use std::time::Duration;

use postrider_domain::limits::{CALL_TIMEOUT_MAX, CALL_TIMEOUT_MIN};
use serde::{Deserialize, Deserializer, de};

use super::{Fault, span, value};

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Microsoft {
    /// An origin without a slash at its end. `None`: Microsoft's own, by the cloud of the settings.
    #[serde(deserialize_with = "origin")]
    pub login_url: Option<String>,
    #[serde(deserialize_with = "origin")]
    pub graph_url: Option<String>,
    /// A certificate authority to trust beside the system's.
    #[serde(deserialize_with = "value::path")]
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

fn origin<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(from)?;
    value::origin(&text, "https://login.microsoftonline.com").map_err(de::Error::custom)
}
