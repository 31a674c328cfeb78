//! Where credentials lie. One kind in this version.

use serde::{Deserialize, Deserializer, de};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    pub store: CredentialStoreKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialStoreKind {
    Sealed,
}

impl<'de> Deserialize<'de> for CredentialStoreKind {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match String::deserialize(from)?.as_str() {
            "sealed" => Ok(Self::Sealed),
            "vault" => {
                Err(de::Error::custom("names Vault, but this version has only the sealed store: use sealed"))
            }
            _ => Err(de::Error::custom("must be sealed, the only store of this version")),
        }
    }
}
