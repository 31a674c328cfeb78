//! What went wrong with Vault, each in a plain sentence of its own with its mend.
//!
//! The sentence may be told to whoever looks after a reseller's settings: it names no address, no path and no policy. What
//! was done and what Vault said of it is the source, for the log. Nothing of a request's or an answer's body but Vault's
//! own error texts is ever kept.

use std::fmt;

use serde::Deserialize;
use vaultrs::error::ClientError;

/// TLS alerts by which a server refuses the certificate that it is shown, as rustls spells them.
const CERTIFICATE_ALERTS: [&str; 7] = [
    "BadCertificate",
    "UnsupportedCertificate",
    "CertificateRevoked",
    "CertificateExpired",
    "CertificateUnknown",
    "CertificateRequired",
    "UnknownCA",
];
const SAID_CHARS_MAX: usize = 300;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultFault {
    #[error("Vault is sealed: unseal it with `vault operator unseal`")]
    Sealed,
    #[error("Vault is not initialised: run `vault operator init`, then unseal it")]
    Uninitialised,
    #[error("Vault did not answer in time: see to its load and to the network")]
    Slow,
    #[error("Vault cannot be reached: see whether it runs, and to the network and vault.address")]
    Unreachable,
    #[error("Vault's certificate is not trusted: name its authority with vault.ca_file")]
    Untrusted,
    #[error("Vault fails with status {0}: see its log")]
    Failing(u16),
    #[error("Vault's quota of requests is used up: raise its rate limit for Postrider")]
    Throttled,
    #[error(
        "Vault's node is a standby and sends to another: give vault.address the address of the active node or of a load balancer"
    )]
    Standby,
    #[error(
        "Vault takes Postrider's token no more, and there is no other: renew the file that vault.auth reads"
    )]
    TokenRejected,
    #[error("Vault refuses the login: see to the role and to the files that vault.auth reads")]
    LoginRefused,
    #[error("the file that Postrider logs in to Vault with cannot be used")]
    LoginFile,
    #[error("Vault's policy denies it: give Postrider's role the policy of deploy/vault/policy.hcl")]
    Denied,
    #[error(
        "Vault has no such engine: enable KV version 2 at vault.mount, and transit at vault.transit_mount where it is used"
    )]
    NoEngine,
    #[error("Vault gave an answer that is none: see whether vault.mount is KV version 2")]
    Unintelligible,
    #[error("Vault refuses the request with status {0}")]
    Refused(u16),
}

/// A fault, and where it was met.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct VaultError {
    pub fault: VaultFault,
    #[source]
    detail: Detail,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
struct Detail {
    doing: String,
    said: String,
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.said.as_str() {
            "" => write!(f, "at {}", self.doing),
            said => write!(f, "at {}: {said}", self.doing),
        }
    }
}

impl VaultError {
    /// `said` holds no secret.
    pub(super) fn new(fault: VaultFault, doing: &str, said: impl fmt::Display) -> Self {
        Self { fault, detail: Detail { doing: doing.to_owned(), said: shown(&said.to_string()) } }
    }

    /// Whether the settings of Postrider or of Vault must be mended before it can work.
    pub fn is_configuration(&self) -> bool {
        matches!(
            self.fault,
            VaultFault::LoginRefused
                | VaultFault::LoginFile
                | VaultFault::TokenRejected
                | VaultFault::Untrusted
        )
    }
}

/// What an answer or the lack of one means. Some of them mean no fault to some requests.
#[derive(Debug)]
pub(super) enum Met {
    Fault(VaultFault, String),
    /// 403: the token, or the policy.
    Forbidden(String),
    /// 404, with the body where it is not a mere list of errors.
    NotFound(Option<String>),
    /// 400, with Vault's words.
    Bad(String),
}

impl Met {
    pub(super) fn of(error: ClientError) -> Self {
        use rustify::errors::ClientError as Http;
        match error {
            ClientError::APIError { code, errors } => Self::of_code(code, errors.join("; "), None),
            ClientError::RestClientError { source } => match source {
                Http::ServerResponseError { code, content } => {
                    let said = content.as_deref().and_then(errors_of).unwrap_or_default();
                    Self::of_code(code, said, content)
                }
                Http::RequestError { source, .. } | Http::ResponseError { source } => {
                    Self::of_no_answer(&source)
                }
                Http::ReqwestBuildError { .. } | Http::UrlParseError { .. } => {
                    Self::Fault(VaultFault::Unreachable, "the request could not be made".to_owned())
                }
                // Their texts and fields hold bodies.
                _ => Self::Fault(VaultFault::Unintelligible, String::new()),
            },
            _ => Self::Fault(VaultFault::Unintelligible, String::new()),
        }
    }

    fn of_code(code: u16, said: String, content: Option<String>) -> Self {
        let fault = match code {
            400 => return Self::Bad(said),
            403 => return Self::Forbidden(said),
            404 if said.contains("no handler for route") => VaultFault::NoEngine,
            404 => return Self::NotFound(content),
            301..=308 | 472 | 473 => VaultFault::Standby,
            429 => VaultFault::Throttled,
            501 => VaultFault::Uninitialised,
            503 if said.contains("sealed") => VaultFault::Sealed,
            500.. => VaultFault::Failing(code),
            _ => VaultFault::Refused(code),
        };
        Self::Fault(fault, said)
    }

    fn of_no_answer(error: &impl AsRef<dyn std::error::Error + Send + Sync>) -> Self {
        let error: &(dyn std::error::Error + 'static) = error.as_ref();
        let innermost = std::iter::successors(Some(error), |error| error.source()).last().unwrap_or(error);
        let said = innermost.to_string();
        let is_slow = error.downcast_ref::<reqwest::Error>().is_some_and(reqwest::Error::is_timeout);
        Self::Fault(if is_slow { VaultFault::Slow } else { of_break(&said) }, said)
    }

    /// Where every one of them is a fault.
    pub(super) fn into_error(self, doing: &str) -> VaultError {
        match self {
            Self::Fault(fault, said) => VaultError::new(fault, doing, said),
            Self::Forbidden(said) => VaultError::new(VaultFault::Denied, doing, said),
            Self::NotFound(_) => VaultError::new(VaultFault::NoEngine, doing, ""),
            Self::Bad(said) => VaultError::new(VaultFault::Refused(400), doing, said),
        }
    }
}

/// What ended a connection, in rustls's words where it was TLS.
fn of_break(said: &str) -> VaultFault {
    let alert = said.strip_prefix("received fatal alert: ");
    if alert.is_some_and(|alert| CERTIFICATE_ALERTS.contains(&alert)) {
        VaultFault::LoginRefused
    } else if said.contains("certificate") {
        VaultFault::Untrusted
    } else {
        VaultFault::Unreachable
    }
}

fn errors_of(content: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Errors {
        errors: Vec<String>,
    }
    serde_json::from_str::<Errors>(content).ok().map(|body| body.errors.join("; "))
}

/// One line of a bounded length.
fn shown(said: &str) -> String {
    let words: Vec<_> = said.split_whitespace().collect();
    words.join(" ").chars().filter(|c| !c.is_control()).take(SAID_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_has_a_fault_of_its_own() {
        let met = |code, said: &str| match Met::of_code(code, said.to_owned(), None) {
            Met::Fault(fault, _) => format!("{fault:?}"),
            other => format!("{other:?}"),
        };
        assert_eq!(met(503, "Vault is sealed"), "Sealed");
        assert_eq!(met(503, ""), "Failing(503)");
        assert_eq!(met(500, "internal error"), "Failing(500)");
        assert_eq!(met(429, "request path quota exceeded"), "Throttled");
        assert_eq!(met(307, ""), "Standby");
        assert_eq!(met(473, ""), "Standby");
        assert_eq!(met(501, ""), "Uninitialised");
        assert_eq!(met(404, "no handler for route \"kv/data/x\""), "NoEngine");
        assert_eq!(met(404, ""), "NotFound(None)");
        assert_eq!(met(403, "permission denied"), "Forbidden(\"permission denied\")");
        assert_eq!(met(418, ""), "Refused(418)");
    }

    #[test]
    fn whose_certificate_is_refused_is_told_apart() {
        assert_eq!(of_break("received fatal alert: CertificateExpired"), VaultFault::LoginRefused);
        assert_eq!(of_break("received fatal alert: UnknownCA"), VaultFault::LoginRefused);
        assert_eq!(of_break("invalid peer certificate: UnknownIssuer"), VaultFault::Untrusted);
        assert_eq!(of_break("received fatal alert: HandshakeFailure"), VaultFault::Unreachable);
    }

    #[test]
    fn a_fault_is_one_sentence_and_what_vault_said_its_cause() {
        let error =
            VaultError::new(VaultFault::Denied, "read kv/data/acme", "1 error\n\t* permission  denied");
        assert_eq!(error.to_string(), VaultFault::Denied.to_string());
        let cause = std::error::Error::source(&error).expect("a cause").to_string();
        assert_eq!(cause, "at read kv/data/acme: 1 error * permission denied");
    }
}
