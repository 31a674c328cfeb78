//! Where credentials lie, and the local key with them.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

use super::{Fault, span, value};

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    pub store: CredentialStoreKind,
    pub key: KeySource,
    /// `None`: `postrider.key`, in the data directory or among systemd's credentials.
    #[serde(deserialize_with = "value::path")]
    pub key_file: Option<PathBuf>,
    /// How long a replaced credential is kept.
    #[serde(deserialize_with = "span::deserialize")]
    pub keep_replaced: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialStoreKind {
    Sealed,
    Vault,
}

/// Where the local key comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySource {
    File,
    /// A file of `$CREDENTIALS_DIRECTORY`.
    Systemd,
    /// The database, wrapped by Vault's transit engine.
    Transit,
}

/// A put that takes longer than the least fails; what a replica still uses is not destroyed before.
const KEEP_MIN: Duration = Duration::from_secs(1);
const KEEP_MAX: Duration = Duration::from_hours(30 * 24);

impl Credentials {
    pub(super) fn check(&self) -> Result<(), Fault> {
        if !(KEEP_MIN..=KEEP_MAX).contains(&self.keep_replaced) {
            return Err(Fault { key: "credentials.keep_replaced", problem: "must be 1s to 30d".to_owned() });
        }
        if self.key == KeySource::Transit && self.key_file.is_some() {
            let problem = "names a file, but credentials.key = \"transit\" has none: leave it out".to_owned();
            return Err(Fault { key: "credentials.key_file", problem });
        }
        Ok(())
    }

    /// Whether Vault is needed to run.
    pub fn need_vault(&self) -> bool {
        self.store == CredentialStoreKind::Vault || self.key == KeySource::Transit
    }
}

impl<'de> Deserialize<'de> for CredentialStoreKind {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match String::deserialize(from)?.as_str() {
            "sealed" => Ok(Self::Sealed),
            "vault" => Ok(Self::Vault),
            _ => Err(de::Error::custom("must be sealed or vault")),
        }
    }
}

impl<'de> Deserialize<'de> for KeySource {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match String::deserialize(from)?.as_str() {
            "file" => Ok(Self::File),
            "systemd" => Ok(Self::Systemd),
            "transit" => Ok(Self::Transit),
            _ => Err(de::Error::custom("must be file, systemd or transit")),
        }
    }
}
