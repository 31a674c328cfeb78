//! What the operator may choose: one typed struct per concern over `config.default.toml`, which is compiled in.
//!
//! Rules
//! - The command line goes over the environment, that over the file, that over the defaults.
//! - A key that `config.default.toml` does not hold is an error, wherever it comes from. A value for something that a
//!   later version brings is refused, never ignored.
//! - Of the environment only `POSTRIDER_…` names with `__` are configuration, beside [`DATA_DIR_VARIABLE`], the folder
//!   that systemd names and the two by which Azure tells its app services of their managed identities.
//! - Unset never means a stand-in: without a word from the operator, mail goes to Microsoft.
//! - An error is one sentence with the key, where it was set, and what to do.
//!
//! The environment is handed in; nothing here reads it. Read first: `config.default.toml`.

mod client_grant;
mod credentials;
mod error;
mod federated;
mod layers;
mod lease;
mod limits;
mod listen;
mod log;
mod microsoft;
mod oidc;
mod pace;
mod retention;
mod span;
mod storage;
mod telemetry;
mod tls;
mod value;
mod vault;

use std::path::PathBuf;

use postrider_microsoft::IdentityEndpoint;
use secrecy::SecretString;
use serde::Deserialize;

pub use client_grant::ClientGrant;
pub use credentials::{CredentialStoreKind, Credentials, KeySource};
pub use error::ConfigError;
pub use federated::{AssertionPlace, Federated, FederatedSource};
pub use lease::Lease;
pub use limits::Limits;
pub use listen::Listen;
pub use log::{Log, LogFormat, LogLevel};
pub use microsoft::Microsoft;
pub use oidc::Oidc;
pub(crate) use oidc::is_safe_url;
pub use pace::Pace;
pub use retention::Retention;
pub use storage::{Database, Storage};
pub use telemetry::Telemetry;
pub use tls::Tls;
pub use vault::{AuthMethod, Vault};

/// The commented defaults, for whoever wants to print them.
pub const DEFAULTS: &str = include_str!("../config.default.toml");

/// The environment's name for `--data-dir`.
pub const DATA_DIR_VARIABLE: &str = "POSTRIDER_DATA_DIR";

/// systemd's name for the folder with the credentials of a unit.
const SYSTEMD_CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

const DATA_DIR: &str = "./postrider-data";
const DATA_DIR_SANDBOX: &str = "./postrider-sandbox";

/// Where configuration comes from, as the binary found it.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// `--config`.
    pub file: Option<PathBuf>,
    /// All of the environment; what is not ours is passed over.
    pub environment: Vec<(String, String)>,
    /// `--section.key=value`, without the hyphens.
    pub overrides: Vec<(String, String)>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// Whether the stand-in Microsoft is served too, which has a data directory of its own.
    pub sandbox: bool,
    /// Whether the store was restored from a backup: what waits in it is taken as in doubt.
    pub restored: bool,
}

#[derive(Debug, Clone)]
pub struct Config {
    pub data_dir: PathBuf,
    pub sandbox: bool,
    pub restored: bool,
    pub listen: Listen,
    pub tls: Tls,
    pub oidc: Oidc,
    pub storage: Storage,
    pub credentials: Credentials,
    pub federated: Federated,
    pub identity: IdentityEndpoint,
    pub vault: Vault,
    /// Where systemd puts the credentials of its unit.
    pub systemd_credentials: Option<PathBuf>,
    pub microsoft: Microsoft,
    pub pace: Pace,
    pub lease: Lease,
    pub limits: Limits,
    pub retention: Retention,
    pub log: Log,
    pub telemetry: Telemetry,
}

/// The sections as they stand in a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sections {
    listen: Listen,
    tls: Tls,
    oidc: Oidc,
    storage: Storage,
    credentials: Credentials,
    #[serde(default, deserialize_with = "federated::deserialize")]
    federated: Federated,
    vault: Vault,
    microsoft: Microsoft,
    pace: Pace,
    lease: Lease,
    limits: Limits,
    retention: Retention,
    log: Log,
    telemetry: Telemetry,
}

/// A value that can be read but does not hold, with its key.
struct Fault {
    key: &'static str,
    problem: String,
}

impl Config {
    pub fn load(sources: Sources) -> Result<Self, ConfigError> {
        let Sources { file, environment, overrides, data_dir, sandbox, restored } = sources;
        let layers = layers::Layers::read(file.as_deref(), &environment, &overrides)?;
        let sections: Sections = layers.deserialize()?;
        sections.check().map_err(|fault| layers.blame(fault.key, fault.problem))?;
        let Sections {
            listen,
            tls,
            oidc,
            storage,
            credentials,
            federated,
            vault,
            microsoft,
            pace,
            lease,
            limits,
            retention,
            log,
            telemetry,
        } = sections;
        let data_dir = data_dir.unwrap_or_else(|| default_data_dir(&environment, sandbox));
        let identity = identity_endpoint(&environment);
        let systemd_credentials = named(&environment, SYSTEMD_CREDENTIALS).map(PathBuf::from);
        Ok(Self {
            data_dir,
            sandbox,
            restored,
            listen,
            tls,
            oidc,
            storage,
            credentials,
            federated,
            identity,
            vault,
            systemd_credentials,
            microsoft,
            pace,
            lease,
            limits,
            retention,
            log,
            telemetry,
        })
    }
}

impl Sections {
    fn check(&self) -> Result<(), Fault> {
        self.listen.check(self.tls.is_on())?;
        self.tls.check()?;
        self.oidc.check()?;
        self.credentials.check()?;
        self.vault.check()?;
        if self.credentials.need_vault() {
            self.vault.check_complete()?;
        }
        self.microsoft.check()?;
        self.pace.check()?;
        self.lease.check()?;
        self.limits.check()?;
        self.retention.check()
    }
}

/// Azure sets both where an app service has identities; elsewhere the machine's metadata service is asked.
fn identity_endpoint(environment: &[(String, String)]) -> IdentityEndpoint {
    match named(environment, "IDENTITY_ENDPOINT").zip(named(environment, "IDENTITY_HEADER")) {
        Some((url, header)) => {
            IdentityEndpoint::AppService { url: url.to_owned(), header: SecretString::from(header) }
        }
        None => IdentityEndpoint::metadata(),
    }
}

fn default_data_dir(environment: &[(String, String)], sandbox: bool) -> PathBuf {
    let default = if sandbox { DATA_DIR_SANDBOX } else { DATA_DIR };
    PathBuf::from(named(environment, DATA_DIR_VARIABLE).unwrap_or(default))
}

/// An empty variable counts as none.
fn named<'a>(environment: &'a [(String, String)], variable: &str) -> Option<&'a str> {
    let found = environment.iter().find(|(name, value)| name == variable && !value.is_empty());
    found.map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests;
