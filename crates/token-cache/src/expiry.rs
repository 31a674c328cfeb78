//! How long an answer of Entra's serves.

use std::time::Duration;

use postrider_domain::{FindingClass, TokenRefusal, limits};

/// A token is not used in its last minutes: it has to outlive the call it is sent with, and clocks differ.
const MARGIN_MAX: Duration = Duration::from_mins(5);
/// Of a short life the margin is this part.
const MARGIN_PART: u32 = 10;
/// Where a token cannot be renewed it is used longer: to shortly before its end.
const LAST_MARGIN_MAX: Duration = Duration::from_secs(30);
const LAST_MARGIN_PART: u32 = 20;
/// A token is renewed somewhere in these parts of its life, by chance: not all that were fetched together at once.
const RENEWED_FROM: f64 = 0.65;
const RENEWED_TO: f64 = 0.85;
/// Between two tries to renew a token that still serves.
pub(crate) const RENEW_AGAIN: Duration = Duration::from_secs(15);
/// No token is believed to live longer. Entra's live about an hour.
const TOKEN_LIFE_MAX: Duration = Duration::from_hours(24);

/// How long a token serves, from how long it lives.
pub(crate) fn token_serves(life: Duration) -> Duration {
    let life = token_life(life);
    life.saturating_sub((life / MARGIN_PART).min(MARGIN_MAX))
}

/// How long after its fetch a token is renewed, though it still serves.
pub(crate) fn token_renewed_after(life: Duration, chance: f64) -> Duration {
    token_life(life).mul_f64(RENEWED_FROM + (RENEWED_TO - RENEWED_FROM) * chance.clamp(0.0, 1.0))
}

/// How long a token is used while it cannot be renewed.
pub(crate) fn token_lasts(life: Duration) -> Duration {
    let life = token_life(life);
    life.saturating_sub((life / LAST_MARGIN_PART).min(LAST_MARGIN_MAX))
}

pub(crate) fn token_life(life: Duration) -> Duration {
    life.min(TOKEN_LIFE_MAX)
}

/// How long a refusal stands in for asking again. What Entra asked for is never shortened.
pub(crate) fn refusal_serves(refusal: &TokenRefusal) -> Duration {
    let kept = match refusal.finding.class {
        FindingClass::Settings => limits::TOKEN_REFUSAL_KEPT,
        FindingClass::Message
        | FindingClass::Limit
        | FindingClass::Outage
        | FindingClass::InDoubt
        | FindingClass::Advice => Duration::ZERO,
    };
    kept.max(refusal.retry_after.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use postrider_domain::{Finding, FindingCode};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_token_serves_until_five_minutes_or_a_tenth_before_its_end() {
        for (life, serves) in [(3_600, 3_300), (5_400, 5_100), (3_000, 2_700), (600, 540), (10, 9), (0, 0)] {
            assert_eq!(token_serves(SECOND * life), SECOND * serves, "{life} s");
        }
        assert_eq!(token_serves(SECOND * 5), Duration::from_millis(4_500));
    }

    #[test]
    fn a_token_is_renewed_before_it_stops_to_serve_and_used_longest_where_it_cannot_be() {
        for life in [10, 60, 600, 3_600, 86_400] {
            let life = SECOND * life;
            let (first, last) = (token_renewed_after(life, 0.0), token_renewed_after(life, 1.0));
            assert!(first < last && last < token_serves(life), "{life:?}");
            assert!(token_serves(life) < token_lasts(life) && token_lasts(life) < life, "{life:?}");
        }
        assert_eq!(token_renewed_after(SECOND * 3_600, 0.5), SECOND * 2_700);
    }

    #[test]
    fn a_token_said_to_live_for_ever_serves_less_than_a_day() {
        assert_eq!(token_serves(Duration::MAX), Duration::from_mins(24 * 60 - 5));
    }

    #[test]
    fn a_refusal_is_kept_by_its_class_and_at_least_as_long_as_asked() {
        let cases = [
            (FindingCode::SecretWrong, None, 60),
            (FindingCode::SecretWrong, Some(5), 60),
            (FindingCode::SecretWrong, Some(90), 90),
            (FindingCode::Throttled, None, 0),
            (FindingCode::Throttled, Some(17), 17),
            (FindingCode::MicrosoftUnavailable, None, 0),
            (FindingCode::MicrosoftUnavailable, Some(17), 17),
            (FindingCode::CredentialStoreUnavailable, None, 0),
        ];
        for (code, asked, kept) in cases {
            let retry_after = asked.map(Duration::from_secs);
            let refusal = TokenRefusal { finding: Box::new(Finding::new(code)), retry_after };
            assert_eq!(refusal_serves(&refusal), SECOND * kept, "{code}, asked for {asked:?}");
        }
    }
}
