//! HashiCorp Vault, KV version 2: one secret a reseller, at `<mount>/<prefix>/<reseller>`.
//!
//! A version's name is Vault's number and the time at which Vault made it: numbers begin anew when a secret is deleted,
//! times do not come twice. Every write is check-and-set, so that of two who write at once one is refused.
//!
//! | file | holds |
//! | --- | --- |
//! | `store` | the store |
//! | `secret` | what lies in a secret |
//! | `session`, `login` | the token: how it is had, kept alive, and replaced |
//! | `transit` | the local key, wrapped |
//! | `error` | what went wrong, in a sentence each |
//!
//! vaultrs makes the requests. It and its HTTP layer hold tokens and bodies in plain memory while a request lasts; nothing
//! of them is logged (`server/src/telemetry.rs` silences both).

mod error;
mod http;
mod login;
mod secret;
mod session;
mod store;
mod transit;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

pub use error::{VaultError, VaultFault};
pub use http::VaultSetupError;
pub use login::VaultAuth;
pub use session::VaultProbe;
pub use store::VaultCredentialStore;
pub use transit::VaultTransit;

use http::Endpoint;
use session::Session;

/// Where Vault is, and who Postrider is to it.
#[derive(Debug, Clone)]
pub struct VaultSettings {
    /// An origin, such as `https://vault.example:8200`.
    pub address: String,
    /// The only authorities to trust, in PEM. `None`: the system's.
    pub ca_pem: Option<Vec<u8>>,
    pub namespace: Option<String>,
    pub auth: VaultAuth,
    /// Of one request.
    pub timeout: Duration,
}

/// One Vault and the token by which it knows us. Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    session: Arc<Session>,
}

impl Vault {
    pub fn new(settings: VaultSettings) -> Result<Self, VaultSetupError> {
        let VaultSettings { address, ca_pem, namespace, auth, timeout } = settings;
        let address = address.parse().map_err(|_| VaultSetupError::Address)?;
        let endpoint = Endpoint { address, ca_pem, namespace, timeout };
        Ok(Self { session: Arc::new(Session::new(endpoint, auth)?) })
    }

    /// Logs in now, to learn early whether it can be done.
    pub async fn log_in(&self) -> Result<(), VaultError> {
        self.session.log_in().await
    }

    /// Keeps the token alive. Never returns; without it a token that ended is replaced by the request that finds it so.
    /// And tells whether Vault serves, by looking at this.
    pub async fn keep(self, probe: VaultProbe) {
        self.session.keep(probe).await;
    }

    /// How many requests a used-up quota has refused so far.
    pub fn throttled(&self) -> u64 {
        self.session.throttled()
    }

    /// Whether Vault serves, as the last look told.
    pub fn is_there(&self) -> watch::Receiver<bool> {
        self.session.is_there()
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").finish_non_exhaustive()
    }
}
