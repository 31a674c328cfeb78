//! The certificate that our listeners show, and whose certificates clients must show.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Deserialize;

use super::{ClientGrant, Fault, value};

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
    /// Whom their certificates let in, without a key.
    pub clients: Vec<ClientGrant>,
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
            (_, _, None) if !self.clients.is_empty() => needs("tls.client_ca_file", "tls.clients"),
            _ => self.check_clients(),
        }
    }
    fn check_clients(&self) -> Result<(), Fault> {
        let mut seen = BTreeSet::new();
        match self.clients.iter().find(|client| !seen.insert(&client.san)) {
            Some(client) => {
                let problem =
                    format!("has two clients `{}`: give one of them all scopes and resellers", client.san);
                Err(Fault { key: "tls.clients", problem })
            }
            None => Ok(()),
        }
    }
}
