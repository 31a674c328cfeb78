//! A scenario as it is posted: which scripted answer, for whom, how often.
//!
//! Names are the switches of reference/microsoft.md §9. One that is not implemented is refused, so that no test
//! passes because nothing happened. Beside `mailbox` or `tenant`, `scenario` and `times` there are:
//! `retry_after` (a number, whole or fractional; an HTTP date; `"http-date"` with `seconds`; `null` or `"absent"` for
//! a 429 without the header), `milliseconds` (`slow`), `expire_time` and `client_id` (`secret-expires-at`), `delivered`
//! (whether a mail whose answer is lost was taken), `call` (`"token"` for an outage of Entra instead of Graph),
//! `start_time` and `end_time` (when it holds: a policy that takes its time to spread).

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::answer::http_date;
use crate::limits;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Throttle,
    Concurrency,
    Stale503,
    Html503,
    Timeout504Delivered,
    Timeout504,
    Hang,
    Reset,
    Ok200,
    Empty500,
    Plain413,
    TokenPlain429,
    TokenWithoutRoles,
    OpaqueToken,
    RbacOnly,
    RaopDenied,
    SecretExpiresAt,
    MailboxFull,
    Slow,
}

const NAMES: [(&str, Kind); 19] = [
    ("throttle-retry-after", Kind::Throttle),
    ("concurrency", Kind::Concurrency),
    ("503-stale", Kind::Stale503),
    ("503-html", Kind::Html503),
    ("504-but-delivered", Kind::Timeout504Delivered),
    ("504-not-delivered", Kind::Timeout504),
    ("hang", Kind::Hang),
    ("reset-after-body", Kind::Reset),
    ("200-not-202", Kind::Ok200),
    ("500-empty", Kind::Empty500),
    ("413-plain", Kind::Plain413),
    ("429-plain-text-token", Kind::TokenPlain429),
    ("token-without-roles", Kind::TokenWithoutRoles),
    ("opaque-token", Kind::OpaqueToken),
    ("rbac-only", Kind::RbacOnly),
    ("raop-denied", Kind::RaopDenied),
    ("secret-expires-at", Kind::SecretExpiresAt),
    ("mailbox-full", Kind::MailboxFull),
    ("slow", Kind::Slow),
];

const NOT_YET: [&str; 5] =
    ["ndr-later", "terrl", "rewrite-from-to-primary", "drop-unknown-x-headers-in-mime", "slow-30-per-minute"];

impl Kind {
    /// Answers before the mail is read: nothing is taken.
    pub(crate) fn is_refusal(self) -> bool {
        matches!(
            self,
            Kind::Throttle
                | Kind::Concurrency
                | Kind::Stale503
                | Kind::Html503
                | Kind::Empty500
                | Kind::Plain413
                | Kind::RaopDenied
        )
    }

    /// Ends for a mail that passed every check.
    pub(crate) fn is_outcome(self) -> bool {
        matches!(self, Kind::Timeout504Delivered | Kind::Timeout504 | Kind::Hang | Kind::Reset | Kind::Ok200)
    }

    /// What can also happen to a call to Entra.
    pub(crate) fn is_token_outage(self) -> bool {
        matches!(
            self,
            Kind::TokenPlain429 | Kind::Throttle | Kind::Html503 | Kind::Hang | Kind::Reset | Kind::Empty500
        )
    }

    /// The kinds that are only about tokens, whatever `call` says.
    fn is_of_tokens(self) -> bool {
        matches!(
            self,
            Kind::TokenPlain429 | Kind::TokenWithoutRoles | Kind::OpaqueToken | Kind::SecretExpiresAt
        )
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Call {
    Token,
    SendMail,
}

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

    fn read(value: Option<&Value>, seconds: Option<f64>) -> Result<RetryAfter, String> {
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

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Posted {
    scenario: String,
    mailbox: Option<String>,
    tenant: Option<String>,
    times: Option<u64>,
    call: Option<Call>,
    #[serde(default, deserialize_with = "said")]
    retry_after: Option<Value>,
    seconds: Option<f64>,
    milliseconds: Option<u64>,
    delivered: Option<bool>,
    #[serde(alias = "time", alias = "at")]
    expire_time: Option<Timestamp>,
    client_id: Option<String>,
    start_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
}

/// `null` says something else than nothing.
fn said<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// A scenario that was understood.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    pub(crate) kind: Kind,
    pub(crate) mailbox: Option<String>,
    pub(crate) tenant: Option<String>,
    pub(crate) call: Option<Call>,
    pub(crate) times: Option<u64>,
    pub(crate) retry_after: RetryAfter,
    pub(crate) delay: Duration,
    pub(crate) delivered: bool,
    pub(crate) expire_time: Option<Timestamp>,
    pub(crate) client_id: Option<String>,
    start_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
}

impl Spec {
    /// A plain sentence says what is wrong.
    pub(crate) fn read(posted: &Map<String, Value>) -> Result<Spec, String> {
        let posted: Posted = serde_json::from_value(Value::Object(posted.clone()))
            .map_err(|error| format!("This is no scenario: {error}."))?;
        let kind = kind(&posted.scenario)?;
        if posted.mailbox.is_none() && posted.tenant.is_none() {
            return Err("A scenario needs a mailbox or a tenant that it is for.".to_owned());
        }
        if posted.times == Some(0) {
            return Err(
                "times is at least 1; leave it out for a scenario that holds until it is deleted.".to_owned()
            );
        }
        let retry_after = RetryAfter::read(
            posted.retry_after.as_ref(),
            posted.seconds.filter(|s| (0.0..=1e6).contains(s)),
        )?;
        let delay = Duration::from_millis(posted.milliseconds.unwrap_or_default());
        if kind == Kind::Slow && (delay.is_zero() || delay > limits::SLOW_MAX) {
            return Err(format!("slow needs milliseconds, from 1 to {}.", limits::SLOW_MAX.as_millis()));
        }
        if kind == Kind::SecretExpiresAt && posted.expire_time.is_none() {
            return Err(
                "secret-expires-at needs an expire_time, such as \"2026-11-23T10:00:00Z\".".to_owned()
            );
        }
        if posted.call == Some(Call::Token)
            && !(kind.is_token_outage() || kind.is_of_tokens() || kind == Kind::Slow)
        {
            return Err(format!("{} cannot happen to a call for a token.", posted.scenario));
        }
        let call = if kind.is_of_tokens() { Some(Call::Token) } else { posted.call.or(Some(Call::SendMail)) };
        Ok(Spec {
            kind,
            mailbox: posted.mailbox,
            tenant: posted.tenant,
            // Why: RBAC shows in the token and at Graph, so it belongs to both calls.
            call: call.filter(|_| kind != Kind::RbacOnly),
            times: posted.times,
            retry_after,
            delay,
            delivered: kind == Kind::Timeout504Delivered || posted.delivered.unwrap_or(false),
            expire_time: posted.expire_time,
            client_id: posted.client_id,
            start_time: posted.start_time,
            end_time: posted.end_time,
        })
    }

    pub(crate) fn holds_at(&self, now: Timestamp) -> bool {
        self.start_time.is_none_or(|start| start <= now) && self.end_time.is_none_or(|end| now < end)
    }
}

fn kind(name: &str) -> Result<Kind, String> {
    if let Some((_, kind)) = NAMES.iter().find(|(known, _)| *known == name) {
        return Ok(*kind);
    }
    if NOT_YET.contains(&name) {
        return Err(format!("The scenario '{name}' is not yet in this sandbox."));
    }
    let names: Vec<_> = NAMES.iter().map(|(name, _)| *name).collect();
    Err(format!("There is no scenario '{name}'. There are: {}.", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(json: &str) -> Result<Spec, String> {
        Spec::read(&serde_json::from_str(json).unwrap())
    }

    fn retry_after(value: &str) -> Option<(String, Timestamp)> {
        let json = format!(r#"{{"mailbox":"a@b.c","scenario":"throttle-retry-after"{value}}}"#);
        spec(&json).unwrap().retry_after.at(Timestamp::from_millisecond(1_000_500).unwrap(), Some(2.0))
    }

    #[test]
    fn retry_after_takes_all_the_forms_that_exchange_has_been_seen_to_give() {
        assert_eq!(retry_after("").unwrap().0, "2");
        assert_eq!(retry_after(r#","retry_after":30"#).unwrap().0, "30");
        let (text, until) = retry_after(r#","retry_after":2.128"#).unwrap();
        assert_eq!((text.as_str(), until.as_millisecond()), ("2.128", 1_002_628));
        let (text, until) = retry_after(r#","retry_after":"http-date","seconds":3"#).unwrap();
        assert_eq!((text.as_str(), until.as_second()), ("Thu, 01 Jan 1970 00:16:44 GMT", 1_004));
        assert_eq!(
            retry_after(r#","retry_after":"Thu, 01 Jan 1970 01:00:00 GMT""#).unwrap().1.as_second(),
            3_600
        );
        assert!(retry_after(r#","retry_after":null"#).is_none());
        assert!(retry_after(r#","retry_after":"absent""#).is_none());
    }

    #[test]
    fn what_is_not_understood_is_refused_in_a_sentence() {
        let refused = |json: &str| spec(json).unwrap_err();
        assert!(refused(r#"{"mailbox":"a@b.c","scenario":"terrl"}"#).contains("not yet in this sandbox"));
        assert!(refused(r#"{"mailbox":"a@b.c","scenario":"nonsense"}"#).contains("no scenario 'nonsense'"));
        assert!(refused(r#"{"scenario":"hang"}"#).contains("mailbox or a tenant"));
        assert!(refused(r#"{"tenant":"x","scenario":"hang","tiems":1}"#).contains("tiems"));
        assert!(refused(r#"{"tenant":"x","scenario":"slow"}"#).contains("milliseconds"));
        assert!(
            refused(r#"{"tenant":"x","scenario":"throttle-retry-after","retry_after":[]}"#)
                .contains("retry_after")
        );
        assert!(refused(r#"{"tenant":"x","scenario":"mailbox-full","call":"token"}"#).contains("token"));
    }
}
