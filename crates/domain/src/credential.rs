//! The secret part of settings. It lives in the credential store; here is only its shape while it is being used.

use std::fmt;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use crate::{Finding, FindingCode, limits};

/// What proves to Entra that the app is the app. `Debug` never shows the secret.
#[derive(Debug, Clone)]
pub enum Credential {
    /// The secret's Value, and when the portal says it ends.
    ClientSecret { value: SecretString, expire_time: Option<Timestamp> },
}

impl Credential {
    pub fn kind(&self) -> CredentialKind {
        match self {
            Self::ClientSecret { .. } => CredentialKind::ClientSecret,
        }
    }

    pub fn expire_time(&self) -> Option<Timestamp> {
        match self {
            Self::ClientSecret { expire_time, .. } => *expire_time,
        }
    }

    /// Whether the secret's ID, a GUID, was entered in place of its Value: Entra's Values never look like one.
    pub fn is_secret_id(&self) -> bool {
        match self {
            Self::ClientSecret { value, .. } => uuid::Uuid::try_parse(value.expose_secret().trim()).is_ok(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialKind {
    ClientSecret,
    Certificate,
    Federated,
}

impl CredentialKind {
    pub const ALL: [Self; 3] = [Self::ClientSecret, Self::Certificate, Self::Federated];

    /// The name under which it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientSecret => "client_secret",
            Self::Certificate => "certificate",
            Self::Federated => "federated",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// Which of a reseller's credentials: opaque, given by the credential store, never used twice.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CredentialVersion(String);

impl CredentialVersion {
    /// Takes the store's own name of a version.
    pub fn of_store(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A keyed hash of a credential in hexadecimal: tells two apart, and nothing else about them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fingerprint(String);

impl Fingerprint {
    pub fn of_store(hex: impl Into<String>) -> Self {
        Self(hex.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What its expiry says of a credential, as of `now`: expired, ends soon, or nothing.
pub fn expiry_finding(expire_time: Option<Timestamp>, now: Timestamp) -> Option<Finding> {
    let end = expire_time?;
    let soon = now.saturating_add(limits::CREDENTIAL_EXPIRES_SOON).unwrap_or(Timestamp::MAX);
    let code = match end {
        end if end <= now => FindingCode::SecretExpired,
        end if end <= soon => FindingCode::SecretExpiresSoon,
        _ => return None,
    };
    Some(Finding::new(code).with("expire_time", end))
}

/// What may be told of a saved credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialInfo {
    pub kind: CredentialKind,
    pub fingerprint: Fingerprint,
    pub version: CredentialVersion,
    pub create_time: Timestamp,
    pub expire_time: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_told_from_a_month_before() {
        let day = |day: i64| Timestamp::from_second(day * 24 * 3600).expect("in range");
        let told = |now| expiry_finding(Some(day(100)), now).map(|finding| finding.code);
        assert_eq!(told(day(69)), None);
        assert_eq!(told(day(70)), Some(FindingCode::SecretExpiresSoon));
        assert_eq!(told(day(100)), Some(FindingCode::SecretExpired));
        assert_eq!(expiry_finding(None, day(100)), None);
    }
}
