//! The secret part of settings. It lives in the credential store; here is only its shape while it is being used.

use std::fmt;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretSlice, SecretString};

use crate::pasted::unpasted;
use crate::{Finding, FindingCode, limits};

/// What proves to Entra that the app is the app. `Debug` never shows the secret.
#[derive(Debug, Clone)]
pub enum Credential {
    /// The secret's Value, and when the portal says it ends.
    ClientSecret {
        value: SecretString,
        expire_time: Option<Timestamp>,
    },
    Certificate(Certificate),
    /// An assertion of an outside issuer: its source has it, and only the source's name is kept.
    Federated {
        source: SourceName,
    },
}

/// A certificate with its private key, looked at when it came in: the key is that of the first in the chain, and RSA.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// DER. The app's own first, then its issuers, as far as they were given; never empty.
    pub chain: Vec<Vec<u8>>,
    /// PKCS #8 in DER.
    pub key: SecretSlice<u8>,
    /// As the app's own certificate says it.
    pub expire_time: Timestamp,
    /// Whether the chain goes with each assertion, for apps that trust a subject name and issuer.
    pub send_chain: bool,
}

/// The name of a source of assertions in the operator's configuration; never a path or a URL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceName(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotASourceName {
    #[error("is required: the name of a source in the operator's configuration")]
    Empty,
    #[error("must be a source's name: 1 to 63 lower-case letters, digits, hyphens and underscores")]
    Shape,
}

impl SourceName {
    pub fn parse(text: &str) -> Result<Self, NotASourceName> {
        let character = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b);
        match text {
            "" => Err(NotASourceName::Empty),
            text if text.len() <= limits::SOURCE_NAME_CHARS_MAX && text.bytes().all(character) => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(NotASourceName::Shape),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Credential {
    pub fn kind(&self) -> CredentialKind {
        match self {
            Self::ClientSecret { .. } => CredentialKind::ClientSecret,
            Self::Certificate(_) => CredentialKind::Certificate,
            Self::Federated { .. } => CredentialKind::Federated,
        }
    }

    pub fn expire_time(&self) -> Option<Timestamp> {
        match self {
            Self::ClientSecret { expire_time, .. } => *expire_time,
            Self::Certificate(certificate) => Some(certificate.expire_time),
            Self::Federated { .. } => None,
        }
    }

    /// What is wrong with it as far as looking at it tells; nobody is asked.
    pub fn looks_wrong(&self, now: Timestamp) -> Option<Finding> {
        match self {
            Self::ClientSecret { value, .. } => secret_looks_wrong(value.expose_secret()),
            Self::Certificate(certificate) => expiry_finding(self.kind(), Some(certificate.expire_time), now)
                .filter(|finding| finding.code == FindingCode::CertificateExpired),
            Self::Federated { .. } => None,
        }
    }
}

/// Entra's Values never look like a GUID, and have neither blanks nor quotes at their ends.
fn secret_looks_wrong(value: &str) -> Option<Finding> {
    let of = |code, reason| {
        let finding = Finding::new(code).with("field", "client_secret.value");
        Some(finding.with("reason", reason))
    };
    let bare = unpasted(value);
    if uuid::Uuid::try_parse(bare).is_ok() {
        of(FindingCode::SecretIsId, "has the form of a secret's ID, a GUID")
    } else if bare != value {
        of(FindingCode::SecretWrong, "begins or ends with a blank or a quote, as from pasting")
    } else {
        None
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
pub fn expiry_finding(
    kind: CredentialKind,
    expire_time: Option<Timestamp>,
    now: Timestamp,
) -> Option<Finding> {
    let end = expire_time?;
    let soon = now.saturating_add(limits::CREDENTIAL_EXPIRES_SOON).unwrap_or(Timestamp::MAX);
    let code = match end {
        end if end <= now && kind == CredentialKind::Certificate => FindingCode::CertificateExpired,
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

    fn day(day: i64) -> Timestamp {
        Timestamp::from_second(day * 24 * 3600).expect("in range")
    }

    #[test]
    fn an_expiry_is_told_from_a_month_before() {
        let told = |kind, now| expiry_finding(kind, Some(day(100)), now).map(|finding| finding.code);
        for (kind, expired) in [
            (CredentialKind::ClientSecret, FindingCode::SecretExpired),
            (CredentialKind::Certificate, FindingCode::CertificateExpired),
        ] {
            assert_eq!(told(kind, day(69)), None);
            assert_eq!(told(kind, day(70)), Some(FindingCode::SecretExpiresSoon));
            assert_eq!(told(kind, day(100)), Some(expired));
            assert_eq!(expiry_finding(kind, None, day(100)), None);
        }
    }

    #[test]
    fn what_was_pasted_for_a_secret_is_seen_by_its_shape() {
        let told = |value: &str| secret_looks_wrong(value).map(|finding| finding.code);
        let id = "11111111-2222-3333-4444-555555555555";
        for value in
            [id, "  11111111-2222-3333-4444-555555555555\u{a0}", "\"11111111-2222-3333-4444-555555555555\""]
        {
            assert_eq!(told(value), Some(FindingCode::SecretIsId), "{value:?}");
        }
        for value in [" abc8Q~x", "abc8Q~x ", "\"abc8Q~x\"", "‘abc8Q~x’", "\u{feff}abc8Q~x"] {
            assert_eq!(told(value), Some(FindingCode::SecretWrong), "{value:?}");
        }
        assert_eq!(told("abc8Q~secret.Value_-"), None);
    }

    #[test]
    fn a_source_is_named_and_never_a_path() {
        for good in ["k8s", "gke-prod_2", &"a".repeat(63)] {
            assert!(SourceName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "K8s", "/var/run/token", "a.b", "a b", "https://x.example", &"a".repeat(64)] {
            assert!(SourceName::parse(bad).is_err(), "{bad}");
        }
    }
}
