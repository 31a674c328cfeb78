//! `[[tls.clients]]`: callers that a certificate's name lets in, without a key.

use postrider_domain::ResellerId;
use postrider_store::Scope;
use serde::{Deserialize, Deserializer, de};

use crate::access::{ALL_RESELLERS, ClientName, Grant};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientGrant {
    pub(crate) san: ClientName,
    pub(crate) grant: Grant,
}

/// As it stands in a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    san: String,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    resellers: Vec<String>,
}

impl<'de> Deserialize<'de> for ClientGrant {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Written::deserialize(from)?.read().map_err(de::Error::custom)
    }
}

impl Written {
    fn read(self) -> Result<ClientGrant, String> {
        let wrong = |what: &str| format!("has a client `{}` {what}", self.san);
        if self.san.trim() != self.san || self.san.is_empty() || self.san.contains('*') {
            return Err(wrong("whose san is no DNS name or URI of a certificate"));
        }
        let scope = |name: &String| {
            Scope::parse(name).ok_or_else(|| {
                wrong(&format!("with the scope `{name}`: they are send, read, settings, test, admin"))
            })
        };
        let scopes = self.scopes.iter().map(scope).collect::<Result<Vec<_>, _>>()?;
        if scopes.is_empty() {
            return Err(wrong("without scopes"));
        }
        let resellers = match self.resellers.as_slice() {
            [] => return Err(wrong("without resellers: name them, or \"*\" for all")),
            [all] if all == ALL_RESELLERS => None,
            some => {
                let parse = |name: &String| {
                    ResellerId::parse(name)
                        .map_err(|error| wrong(&format!("whose reseller `{name}` {error}")))
                };
                Some(some.iter().map(parse).collect::<Result<Vec<_>, _>>()?)
            }
        };
        let san = ClientName::parse(&self.san);
        let grant = Grant { name: format!("san:{san}"), scopes, resellers, end: None };
        Ok(ClientGrant { san, grant })
    }
}
