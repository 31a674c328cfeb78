//! Sources of assertions: `federated.<name>.…`, as many as the operator has.
//!
//! A source is one identity for all who name it. What it is bound to here holds for everybody, whatever an admin puts.

use std::collections::BTreeMap;
use std::path::PathBuf;

use postrider_domain::{ClientId, DirectoryId, ResellerId, SourceName};
use serde::{Deserialize, Deserializer, de};

/// The keys of a source; all of them may be left out, but for one that says where the assertion is.
pub(super) const KEYS: [&str; 5] = ["token_file", "managed_identity", "reseller", "tenant_id", "client_id"];
pub(super) const SECTION: &str = "federated";

pub type Federated = BTreeMap<SourceName, FederatedSource>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FederatedSource {
    pub place: AssertionPlace,
    /// Absent: an admin binds it, by the settings that name it.
    pub reseller: Option<ResellerId>,
    pub directory: Option<DirectoryId>,
    pub client: Option<ClientId>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AssertionPlace {
    /// Read anew for each request, so that whoever renews it (Kubernetes does) need tell nobody.
    File(PathBuf),
    /// A managed identity that a user assigned to this machine.
    ManagedIdentity(ClientId),
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Federated, D::Error> {
    let written = BTreeMap::<String, Written>::deserialize(from)?;
    let read = |(name, written): (String, Written)| {
        let wrong = |key: &str, problem: String| {
            de::Error::custom(format!("has a source {name} whose {key} {problem}"))
        };
        let source_name = SourceName::parse(&name).map_err(|error| wrong("name", error.to_string()))?;
        Ok((source_name, written.read().map_err(|(key, problem)| wrong(key, problem))?))
    };
    written.into_iter().map(read).collect()
}

/// As it stands in a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    token_file: String,
    #[serde(default)]
    managed_identity: String,
    #[serde(default)]
    reseller: String,
    #[serde(default)]
    tenant_id: String,
    #[serde(default)]
    client_id: String,
}

impl Written {
    /// What is wrong comes with its key.
    fn read(self) -> Result<FederatedSource, (&'static str, String)> {
        let place = match (self.token_file.as_str(), self.managed_identity.as_str()) {
            ("", "") => {
                return Err(("token_file", "is missing: name a file, or give managed_identity".to_owned()));
            }
            (file, "") => AssertionPlace::File(PathBuf::from(file)),
            ("", identity) => AssertionPlace::ManagedIdentity(
                ClientId::parse(identity).map_err(|error| ("managed_identity", error.to_string()))?,
            ),
            _ => {
                return Err(("managed_identity", "stands beside token_file: give one of the two".to_owned()));
            }
        };
        Ok(FederatedSource {
            place,
            reseller: given("reseller", &self.reseller, ResellerId::parse)?,
            directory: given("tenant_id", &self.tenant_id, DirectoryId::parse)?,
            client: given("client_id", &self.client_id, ClientId::parse)?,
        })
    }
}

fn given<T, E: std::fmt::Display>(
    key: &'static str,
    text: &str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Option<T>, (&'static str, String)> {
    if text.is_empty() { Ok(None) } else { parse(text).map(Some).map_err(|error| (key, error.to_string())) }
}
