//! How long Microsoft asked to be left alone. Never shortened, whatever its form.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;

/// Beyond any message's life, and still safe to add to a time.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(10 * 365 * 24);

/// `Retry-After` as seconds, seconds with a fraction, or a date. A date is measured against the answer's own `Date`,
/// because the two clocks need not agree. `None` where it is absent or means nothing.
pub(crate) fn parse(header: &str, answered: Option<&str>, now: Timestamp) -> Option<Duration> {
    let header = header.trim();
    seconds(header).or_else(|| until(header, answered, now)).map(|wait| wait.min(RETRY_AFTER_MAX))
}

fn seconds(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let seconds = whole.parse().unwrap_or(u64::MAX);
    let nanos = format!("{fraction:0<9.9}").parse().unwrap_or_default();
    Some(Duration::from_secs(seconds).saturating_add(Duration::from_nanos(nanos)))
}

fn until(text: &str, answered: Option<&str>, now: Timestamp) -> Option<Duration> {
    let then = date(text)?;
    let from = answered.and_then(date).unwrap_or(now);
    // A date gone by asks for no wait at all.
    Some(Duration::try_from(then.duration_since(from)).unwrap_or_default())
}

pub(crate) fn date(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(header: &str) -> Option<Duration> {
        let now = "2026-11-23T12:00:00Z".parse().expect("a time");
        parse(header, Some("Mon, 23 Nov 2026 10:00:00 GMT"), now)
    }

    #[test]
    fn seconds_and_fractions_are_kept_whole() {
        assert_eq!(parsed("120"), Some(Duration::from_mins(2)));
        assert_eq!(parsed("0"), Some(Duration::ZERO));
        assert_eq!(parsed(" 2.128 "), Some(Duration::from_millis(2_128)));
        assert_eq!(parsed("1.0000000009"), Some(Duration::from_secs(1)));
    }

    #[test]
    fn a_date_is_measured_by_the_answers_own_clock() {
        assert_eq!(parsed("Mon, 23 Nov 2026 10:01:30 GMT"), Some(Duration::from_secs(90)));
        assert_eq!(parsed("Mon, 23 Nov 2026 09:00:00 GMT"), Some(Duration::ZERO));
        let now = "2026-11-23T10:00:00Z".parse().expect("a time");
        let without_date = parse("Mon, 23 Nov 2026 10:00:05 GMT", None, now);
        assert_eq!(without_date, Some(Duration::from_secs(5)));
    }

    #[test]
    fn the_absurd_is_long_and_the_senseless_is_nothing() {
        assert_eq!(parsed("99999999999999999999999999"), Some(RETRY_AFTER_MAX));
        assert_eq!(parsed("Tue, 28 Dec 9999 23:59:59 GMT"), Some(RETRY_AFTER_MAX));
        for senseless in ["", "-5", "soon", "1e9", "NaN", "1.", ".5", "1,5"] {
            assert_eq!(parsed(senseless), None, "{senseless:?}");
        }
    }
}
