//! The certificate that our listeners show, and whose certificates clients must show.

use std::path::PathBuf;

use serde::Deserialize;

use super::{Fault, value};

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// `None`: plaintext.
    #[serde(deserialize_with = "value::path")]
    pub certificate_file: Option<PathBuf>,
    #[serde(deserialize_with = "value::path")]
    pub key_file: Option<PathBuf>,
    #[serde(deserialize_with = "value::path")]
    pub client_ca_file: Option<PathBuf>,
}

impl Tls {
    pub(crate) fn is_on(&self) -> bool {
        self.certificate_file.is_some()
    }

    pub(super) fn check(&self) -> Result<(), Fault> {
        let needs =
            |key, other: &str| Err(Fault { key, problem: format!("is needed by {other}: name the file") });
        match (&self.certificate_file, &self.key_file, &self.client_ca_file) {
            (Some(_), None, _) => needs("tls.key_file", "tls.certificate_file"),
            (None, Some(_), _) => needs("tls.certificate_file", "tls.key_file"),
            (None, None, Some(_)) => needs("tls.certificate_file", "tls.client_ca_file"),
            _ => Ok(()),
        }
    }
}
