//! What came of asking for a token, for those who count.

use postrider_domain::{FindingClass, TokenRefusal};

/// Of one request for a token: `ok`, `refused` by Entra for the settings' sake, or `failed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenFetch {
    Ok,
    Refused,
    Failed,
}

impl TokenFetch {
    pub(crate) fn of<T>(result: &Result<T, TokenRefusal>) -> Self {
        match result {
            Ok(_) => Self::Ok,
            Err(refusal) if refusal.finding.class == FindingClass::Settings => Self::Refused,
            Err(_) => Self::Failed,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

#[cfg(test)]
mod tests {
    use postrider_domain::{Finding, FindingCode};

    use super::*;

    #[test]
    fn a_refusal_is_the_settings_and_a_failure_somebody_elses() {
        let of = |code| {
            let refusal = TokenRefusal { finding: Box::new(Finding::new(code)), retry_after: None };
            TokenFetch::of::<()>(&Err(refusal)).as_str()
        };
        assert_eq!(TokenFetch::of(&Ok(())).as_str(), "ok");
        assert_eq!(of(FindingCode::SecretWrong), "refused");
        assert_eq!(of(FindingCode::Throttled), "failed");
        assert_eq!(of(FindingCode::CredentialStoreUnavailable), "failed");
    }
}
