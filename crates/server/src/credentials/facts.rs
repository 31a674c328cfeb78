//! What came of token requests, and which credential ends first: written here, read by whoever counts.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use jiff::Timestamp;
use postrider_domain::{FindingClass, TokenRefusal};

#[derive(Debug, Default)]
pub(crate) struct Facts {
    ok: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    /// Seconds since 1970; 0: none ends, as far as is known.
    first_end: AtomicI64,
}

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

impl Facts {
    pub(crate) fn fetched(&self, fetch: TokenFetch) {
        self.counter(fetch).fetch_add(1, Ordering::Relaxed);
    }

    #[cfg_attr(not(test), expect(dead_code, reason = "for the metrics, postrider_token_fetches_total"))]
    pub(crate) fn token_fetches(&self, fetch: TokenFetch) -> u64 {
        self.counter(fetch).load(Ordering::Relaxed)
    }

    pub(crate) fn first_end_is(&self, end: Option<Timestamp>) {
        self.first_end.store(end.map_or(0, Timestamp::as_second), Ordering::Relaxed);
    }

    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "for the metrics, postrider_credential_expire_timestamp_seconds")
    )]
    pub(crate) fn first_end(&self) -> Option<i64> {
        Some(self.first_end.load(Ordering::Relaxed)).filter(|end| *end != 0)
    }

    fn counter(&self, fetch: TokenFetch) -> &AtomicU64 {
        match fetch {
            TokenFetch::Ok => &self.ok,
            TokenFetch::Refused => &self.refused,
            TokenFetch::Failed => &self.failed,
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

    #[test]
    fn what_is_told_is_read() {
        let facts = Facts::default();
        assert_eq!((facts.token_fetches(TokenFetch::Ok), facts.first_end()), (0, None));
        facts.fetched(TokenFetch::Ok);
        facts.first_end_is(Some(Timestamp::constant(1_800_000_000, 0)));
        assert_eq!((facts.token_fetches(TokenFetch::Ok), facts.first_end()), (1, Some(1_800_000_000)));
    }
}
