//! Times and spans: as people write them, as the API carries them, as people read them.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Span, SpanRelativeTo, Timestamp};

/// A time in RFC 3339, or a day, which begins at 00:00 UTC.
pub(crate) fn moment(text: &str) -> Result<prost_types::Timestamp, String> {
    let day = |day: Date| TimeZone::UTC.to_timestamp(day.to_datetime(Time::midnight()));
    let time = match text.parse::<Timestamp>() {
        Ok(time) => time,
        Err(_) => text.parse::<Date>().and_then(day).map_err(|_| {
            "neither a time such as 2027-01-31T09:00:00Z nor a day such as 2027-01-31".to_owned()
        })?,
    };
    Ok(prost_types::Timestamp { seconds: time.as_second(), nanos: time.subsec_nanosecond() })
}

/// A span such as `90s`, `1h`, `2h 30m` or `3d`; a day has 24 hours.
pub(crate) fn span(text: &str) -> Result<prost_types::Duration, String> {
    let problem = || "no span such as 90s, 1h or 3d".to_owned();
    let span: Span = text.parse().map_err(|_| problem())?;
    let span = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| problem())?;
    Ok(prost_types::Duration { seconds: span.as_secs(), nanos: span.subsec_nanos() })
}

/// In UTC, to the second; empty where there is none.
pub(crate) fn shown(time: Option<&prost_types::Timestamp>) -> String {
    time.and_then(|time| Timestamp::new(time.seconds, 0).ok())
        .map(|time| time.to_string())
        .unwrap_or_default()
}

/// In milliseconds, or from ten seconds on in seconds.
pub(crate) fn took(span: &prost_types::Duration) -> String {
    let milliseconds = span.seconds.saturating_mul(1_000) + i64::from(span.nanos / 1_000_000);
    if milliseconds < 10_000 { format!("{milliseconds} ms") } else { format!("{} s", milliseconds / 1_000) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_in_utc() {
        assert_eq!(moment("2027-01-31"), moment("2027-01-31T00:00:00Z"));
    }

    #[test]
    fn a_time_may_have_an_offset() {
        assert_eq!(moment("2027-01-31T10:00:00+01:00"), moment("2027-01-31T09:00:00Z"));
    }

    #[test]
    fn neither_time_nor_day_is_refused() {
        for text in ["", "tomorrow", "2027-13-01", "31.01.2027"] {
            assert!(moment(text).is_err(), "{text}");
        }
    }

    #[test]
    fn spans_are_written_as_people_write_them() {
        let seconds = |text| span(text).map(|span| span.seconds);
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("1h"), Ok(3_600));
        assert_eq!(seconds("2h 30m"), Ok(9_000));
        assert_eq!(seconds("3d"), Ok(259_200));
        assert_eq!(span("500ms"), Ok(prost_types::Duration { seconds: 0, nanos: 500_000_000 }));
    }

    #[test]
    fn a_span_needs_its_unit() {
        for text in ["", "5", "1 month", "soon"] {
            assert!(span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_is_shown_to_the_second() {
        let time = prost_types::Timestamp { seconds: 1_800_000_000, nanos: 999_000_000 };
        assert_eq!(shown(Some(&time)), "2027-01-15T08:00:00Z");
        assert_eq!(shown(None), "");
    }
}
