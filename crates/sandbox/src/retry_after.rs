//! `Retry-After` in all the forms that Exchange has been seen to give: whole seconds, a fraction, an HTTP date, none.

use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::answer::http_date;
use crate::limits;

#[derive(Debug, Clone)]
pub(crate) enum RetryAfter {
    Unsaid,
    Absent,
    Number { text: String, seconds: f64 },
    DateIn { seconds: f64 },
    Date { text: String, time: Timestamp },
}

impl RetryAfter {
    /// The header's value, and the time at which it has passed; `unsaid` stands for what was left out.
    pub(crate) fn at(&self, now: Timestamp, unsaid: Option<f64>) -> Option<(String, Timestamp)> {
        match self {
            RetryAfter::Unsaid => unsaid.map(|seconds| (seconds.to_string(), later(now, seconds))),
            RetryAfter::Absent => None,
            RetryAfter::Number { text, seconds } => Some((text.clone(), later(now, *seconds))),
            RetryAfter::DateIn { seconds } => {
                // Why: the format has whole seconds; rounded up, so that it is never shorter than asked for.
                let whole = later(now, *seconds + 0.999).as_second();
                let time = Timestamp::from_second(whole).unwrap_or(now);
                Some((http_date(time), time))
            }
            RetryAfter::Date { text, time } => Some((text.clone(), *time)),
        }
    }

    pub(crate) fn read(value: Option<&Value>, seconds: Option<f64>) -> Result<RetryAfter, String> {
        let wrong =
            || "retry_after is a number of seconds, an HTTP date, \"http-date\", or null for none".to_owned();
        match value {
            None => Ok(RetryAfter::Unsaid),
            Some(Value::Null) => Ok(RetryAfter::Absent),
            Some(Value::Number(number)) => RetryAfter::number(&number.to_string()).ok_or_else(wrong),
            Some(Value::String(text)) => match text.trim() {
                "absent" | "none" | "" => Ok(RetryAfter::Absent),
                "http-date" | "date" => {
                    Ok(RetryAfter::DateIn { seconds: seconds.unwrap_or(limits::RETRY_AFTER_SECONDS) })
                }
                text => RetryAfter::number(text).or_else(|| RetryAfter::date(text)).ok_or_else(wrong),
            },
            Some(_) => Err(wrong()),
        }
    }

    fn number(text: &str) -> Option<RetryAfter> {
        let seconds = text.parse::<f64>().ok().filter(|seconds| (0.0..=1e6).contains(seconds))?;
        Some(RetryAfter::Number { text: text.to_owned(), seconds })
    }

    fn date(text: &str) -> Option<RetryAfter> {
        let time = DateTimeParser::new().parse_timestamp(text).ok()?;
        Some(RetryAfter::Date { text: text.to_owned(), time })
    }
}

fn later(now: Timestamp, seconds: f64) -> Timestamp {
    SignedDuration::try_from_secs_f64(seconds).ok().and_then(|span| now.checked_add(span).ok()).unwrap_or(now)
}
