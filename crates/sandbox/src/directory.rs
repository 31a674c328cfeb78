//! The Entra directories of the sandbox: their apps with secrets and permissions, and their mailboxes.
//!
//! The types are the JSON of `PUT /sandbox/directories/{tenant_id}`. What is left out means a healthy
//! directory: `Mail.Send` granted, consented, enabled, licensed. A directory answers to the name it was put
//! under (GUID or domain), to its GUID, to its `domains` and to the domains of its mailboxes.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use serde::Deserialize;
use uuid::Uuid;

use crate::keys::AppKeys;
use crate::limits;

/// One Entra directory, as posted.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Directory {
    #[serde(default)]
    pub apps: Vec<App>,
    #[serde(default)]
    pub mailboxes: Vec<Mailbox>,
    /// Verified domains beside those of the mailboxes.
    #[serde(default)]
    pub domains: Vec<String>,
    /// Which of Microsoft's clouds it says it belongs to, by its Graph host.
    #[serde(default)]
    pub graph_host: Option<String>,
    /// How long a mail is on its way to its recipients.
    #[serde(default)]
    pub delivery_milliseconds: u64,
    /// Managed identities that a user assigned to "this machine": see `identity.rs`.
    #[serde(default)]
    pub managed_identities: Vec<ManagedIdentity>,
}

/// A user-assigned managed identity.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManagedIdentity {
    pub client_id: String,
    /// The subject of its tokens.
    pub object_id: String,
}

/// An app registration and its enterprise application in this directory.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent switch of the Entra admin centre")]
pub struct App {
    /// The one thing that cannot be left out.
    pub client_id: String,
    pub secrets: Vec<Secret>,
    /// PEM: what was uploaded under Certificates & secrets.
    pub certificates: Vec<String>,
    /// Common names that are trusted by any certificate of theirs whose chain is sent along (`x5c`).
    pub trusted_subjects: Vec<String>,
    /// Outside issuers whose assertions are taken in place of a secret.
    pub federated_credentials: Vec<FederatedCredential>,
    /// Application permissions of Microsoft Graph.
    pub roles: Vec<String>,
    /// Without admin consent the token carries no roles.
    pub consented: bool,
    /// `false`: AADSTS7000112.
    pub enabled: bool,
    /// `false`: the app is registered but has no enterprise application here, AADSTS7000229.
    pub service_principal: bool,
    /// `true`: conditional access refuses the token, AADSTS53003.
    pub conditional_access_blocked: bool,
    /// How long its tokens live; 0 gives tokens that have expired already.
    pub token_lifetime_seconds: i64,
}

impl Default for App {
    fn default() -> App {
        App {
            client_id: String::new(),
            secrets: Vec::new(),
            certificates: Vec::new(),
            trusted_subjects: Vec::new(),
            federated_credentials: Vec::new(),
            roles: vec!["Mail.Send".to_owned()],
            consented: true,
            enabled: true,
            service_principal: true,
            conditional_access_blocked: false,
            token_lifetime_seconds: limits::TOKEN_LIFETIME_SECONDS,
        }
    }
}

/// A federated identity credential. Issuer and subject must be exactly those of the assertion.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FederatedCredential {
    pub issuer: String,
    pub subject: String,
    #[serde(default = "exchange")]
    pub audiences: Vec<String>,
    /// PEM public keys of the issuer, one of which must have signed. Left out, the signature is not looked at: this
    /// sandbox fetches no keys from anywhere.
    #[serde(default)]
    pub keys: Vec<String>,
}

fn exchange() -> Vec<String> {
    vec!["api://AzureADTokenExchange".to_owned()]
}

/// A client secret: what the admin centre shows as "Secret ID" and "Value".
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Secret {
    pub id: String,
    pub value: String,
    /// None: it does not expire.
    pub expire_time: Option<Timestamp>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret")
            .field("id", &self.id)
            .field("expire_time", &self.expire_time)
            .finish_non_exhaustive()
    }
}

/// A user or shared mailbox of the directory.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mailbox {
    /// The one thing that cannot be left out.
    pub address: String,
    /// `false`: the user exists, but has no Exchange Online mailbox.
    pub licensed: bool,
    /// Other addresses it has the right to send as.
    pub send_as: Vec<String>,
    /// Bytes of one message that it sends at most.
    pub message_bytes_max: usize,
}

impl Default for Mailbox {
    fn default() -> Mailbox {
        Mailbox {
            address: String::new(),
            licensed: true,
            send_as: Vec::new(),
            message_bytes_max: limits::MESSAGE_BYTES_MAX,
        }
    }
}

/// A directory that was put, with its GUID and an index of its mailboxes.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) tenant_id: Uuid,
    pub(crate) directory: Directory,
    names: Vec<String>,
    mailboxes: HashMap<String, usize>,
    /// Of each app, in the order of `directory.apps`.
    keys: Vec<AppKeys>,
}

impl Known {
    /// Whether this is the directory that `name` (a GUID or a domain) means.
    pub(crate) fn answers_to(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        self.names.contains(&name)
    }

    pub(crate) fn app(&self, client_id: &str) -> Option<&App> {
        self.directory.apps.iter().find(|app| app.client_id.eq_ignore_ascii_case(client_id))
    }

    pub(crate) fn keys(&self, client_id: &str) -> Option<&AppKeys> {
        let index =
            self.directory.apps.iter().position(|app| app.client_id.eq_ignore_ascii_case(client_id))?;
        self.keys.get(index)
    }

    /// The name it was put under.
    pub(crate) fn name(&self) -> &str {
        self.names.first().map(String::as_str).unwrap_or_default()
    }

    pub(crate) fn mailbox(&self, address: &str) -> Option<&Mailbox> {
        let index = self.mailboxes.get(&address.to_lowercase())?;
        self.directory.mailboxes.get(*index)
    }
}

/// All directories, found by GUID or domain.
#[derive(Debug, Default)]
pub(crate) struct Directories {
    by_name: RwLock<HashMap<String, Arc<Known>>>,
}

impl Directories {
    /// Puts a directory in place of the one with this name. Its own name wins over a domain of another one.
    pub(crate) fn put(&self, name: &str, directory: Directory) -> Result<(), String> {
        let name = name.trim().to_ascii_lowercase();
        if !is_tenant_name(&name) {
            return Err(format!("'{name}' is neither a GUID nor a domain"));
        }
        if directory.apps.iter().any(|app| app.client_id.trim().is_empty()) {
            return Err("an app has no client_id".to_owned());
        }
        if directory.mailboxes.iter().any(|mailbox| !mailbox.address.contains('@')) {
            return Err("a mailbox has no address".to_owned());
        }
        let keys = directory.apps.iter().map(AppKeys::read).collect::<Result<Vec<_>, _>>()?;
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        let before = by_name.get(&name).filter(|known| known.names.first() == Some(&name)).cloned();
        if before.is_none() && by_name.len() >= limits::DIRECTORIES_MAX {
            return Err(format!(
                "the sandbox holds no more than {} directory names",
                limits::DIRECTORIES_MAX
            ));
        }
        let tenant_id = Uuid::try_parse(&name)
            .ok()
            .or(before.as_ref().map(|known| known.tenant_id))
            .unwrap_or_else(Uuid::new_v4);
        by_name.retain(|_, known| before.as_ref().is_none_or(|before| !Arc::ptr_eq(known, before)));
        let known = Arc::new(index(name.clone(), tenant_id, directory, keys));
        for other in known.names.iter().skip(1) {
            by_name.entry(other.clone()).or_insert_with(|| Arc::clone(&known));
        }
        by_name.insert(name, known);
        Ok(())
    }

    /// Each once, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Known>> {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        let own = by_name.iter().filter(|(name, known)| known.name() == name.as_str());
        let mut all: Vec<_> = own.map(|(_, known)| Arc::clone(known)).collect();
        all.sort_by(|a, b| a.name().cmp(b.name()));
        all
    }

    pub(crate) fn find(&self, name: &str) -> Option<Arc<Known>> {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        by_name.get(&name.to_ascii_lowercase()).cloned()
    }
}

fn index(name: String, tenant_id: Uuid, directory: Directory, keys: Vec<AppKeys>) -> Known {
    let mut names = vec![name, tenant_id.to_string()];
    let of_mailboxes = directory
        .mailboxes
        .iter()
        .filter_map(|mailbox| mailbox.address.rsplit_once('@'))
        .map(|(_, domain)| domain);
    for domain in directory.domains.iter().map(String::as_str).chain(of_mailboxes) {
        let domain = domain.to_ascii_lowercase();
        if !names.contains(&domain) {
            names.push(domain);
        }
    }
    let addresses = directory.mailboxes.iter().enumerate();
    let mailboxes = addresses.map(|(index, mailbox)| (mailbox.address.to_lowercase(), index)).collect();
    Known { tenant_id, directory, names, mailboxes, keys }
}

/// Whether Entra would look for such a directory at all: a GUID, or a name with a dot in it.
pub(crate) fn is_tenant_name(name: &str) -> bool {
    let domain = name.len() <= 253
        && name.contains('.')
        && name.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        });
    domain || (name.len() == 36 && Uuid::try_parse(name).is_ok())
}
