//! What Entra issues for a credential, and for whom it was issued.

use jiff::Timestamp;
use secrecy::SecretString;

use crate::{ClientId, Cloud, DirectoryId, Finding, Fingerprint, ResellerId};

/// An access token for Graph: opaque, and secret while it lives. `Debug` never shows it.
#[derive(Debug, Clone)]
pub struct AccessToken {
    pub secret: SecretString,
    /// When it ends, by our clock and Entra's `expires_in`.
    pub expire_time: Timestamp,
}

/// Whose token it is. The fingerprint, not a version number, so that no reseller can reach another's token.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TokenKey {
    pub reseller: ResellerId,
    pub cloud: Cloud,
    pub directory: DirectoryId,
    pub client: ClientId,
    pub fingerprint: Fingerprint,
}

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRefusal {
    /// Boxed: most calls succeed.
    pub finding: Box<Finding>,
    /// How long Entra asked to be left alone.
    pub retry_after: Option<std::time::Duration>,
}
