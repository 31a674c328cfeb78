//! A scenario as it is posted: which scripted answer, for whom, how often.
//!
//! An unknown name is refused, so that no test passes because nothing happened. Beside `mailbox` or `tenant` (which may
//! be called `directory`), `scenario` and `times` there are: `call` (`"send_mail"`, the default; `"token"`, `"draft"`, `"upload"`: what it happens to),
//! `start_time` and `end_time` (when it holds: a policy that takes its time to spread),
//! `retry_after` (a number, whole or fractional; an HTTP date; `"http-date"` with `seconds`; `null` or `"absent"` for
//! an answer without the header), `milliseconds` (`slow`), `seconds` (`clock-skew`), `expire_time` and `client_id`
//! (`secret-expires-at`), `delivered` (whether a mail or a piece whose answer is lost was taken),
//! `status`, `code`, `message` (`answer` of Graph), `status`, `error`, `aadsts`, `message` (`answer` of Entra).

use std::time::Duration;

use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::kind::{Call, KINDS, Kind};
use crate::limits;
use crate::retry_after::RetryAfter;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Posted {
    scenario: String,
    mailbox: Option<String>,
    #[serde(alias = "directory")]
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
    status: Option<u16>,
    code: Option<String>,
    message: Option<String>,
    error: Option<String>,
    aadsts: Option<u32>,
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
    /// How far Entra's clock is ahead.
    pub(crate) skew: SignedDuration,
    pub(crate) answer: Answer,
    start_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
}

/// What `answer` answers.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) error: String,
    pub(crate) aadsts: u32,
}

impl Spec {
    /// A plain sentence says what is wrong.
    pub(crate) fn read(posted: &Map<String, Value>) -> Result<Spec, String> {
        let posted: Posted = serde_json::from_value(Value::Object(posted.clone()))
            .map_err(|error| format!("This is no scenario: {error}."))?;
        let kind = Kind::named(&posted.scenario).ok_or_else(|| {
            let names: Vec<_> = KINDS.iter().map(|(name, ..)| *name).collect();
            format!("There is no scenario '{}'. There are: {}.", posted.scenario, names.join(", "))
        })?;
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
        if kind == Kind::ClockSkew && posted.seconds.is_none() {
            return Err("clock-skew needs seconds, such as 600 or -600.".to_owned());
        }
        if !can_happen(kind, posted.call.unwrap_or(Call::SendMail)) {
            return Err(format!("{} cannot happen to such a call.", posted.scenario));
        }
        let answer = answer(&posted, kind)?;
        let kind = match (kind, posted.call.unwrap_or(Call::SendMail)) {
            (Kind::Answer, Call::SendMail) if answer.status == StatusCode::ACCEPTED => Kind::Accepted,
            _ => kind,
        };
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
            delivered: matches!(kind, Kind::Timeout504Delivered | Kind::Accepted)
                || posted.delivered.unwrap_or(false),
            expire_time: posted.expire_time,
            client_id: posted.client_id,
            skew: SignedDuration::try_from_secs_f64(posted.seconds.unwrap_or_default()).unwrap_or_default(),
            answer,
            start_time: posted.start_time,
            end_time: posted.end_time,
        })
    }

    pub(crate) fn holds_at(&self, now: Timestamp) -> bool {
        self.start_time.is_none_or(|start| start <= now) && self.end_time.is_none_or(|end| now < end)
    }
}

fn can_happen(kind: Kind, call: Call) -> bool {
    match call {
        Call::SendMail => true,
        Call::Token => kind.is_token_outage() || kind.is_of_tokens() || kind == Kind::Slow,
        Call::Draft | Call::Upload => {
            let lost = [Kind::Hang, Kind::Reset, Kind::Timeout504, Kind::Timeout504Delivered];
            kind.is_refusal() || kind == Kind::Slow || (lost.contains(&kind) && call == Call::Upload)
        }
    }
}

fn answer(posted: &Posted, kind: Kind) -> Result<Answer, String> {
    let status = match (kind, posted.status) {
        (Kind::Answer, None) => return Err("answer needs a status, such as 403.".to_owned()),
        (_, status) => StatusCode::from_u16(status.unwrap_or(500)),
    };
    let text = |given: &Option<String>| given.clone().unwrap_or_default();
    Ok(Answer {
        status: status.map_err(|_| "status is an HTTP status, from 100 to 999.".to_owned())?,
        code: text(&posted.code),
        message: text(&posted.message),
        error: posted.error.clone().unwrap_or_else(|| "invalid_request".to_owned()),
        aadsts: posted.aadsts.unwrap_or_default(),
    })
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
        assert!(refused(r#"{"mailbox":"a@b.c","scenario":"nonsense"}"#).contains("no scenario 'nonsense'"));
        assert!(refused(r#"{"scenario":"hang"}"#).contains("mailbox or a tenant"));
        assert!(refused(r#"{"tenant":"x","scenario":"hang","tiems":1}"#).contains("tiems"));
        assert!(refused(r#"{"tenant":"x","scenario":"slow"}"#).contains("milliseconds"));
        assert!(
            refused(r#"{"tenant":"x","scenario":"throttle-retry-after","retry_after":[]}"#)
                .contains("retry_after")
        );
        for call in ["token", "draft", "upload"] {
            let json = format!(r#"{{"tenant":"x","scenario":"mailbox-full","call":"{call}"}}"#);
            assert!(refused(&json).contains("cannot happen to such a call"));
        }
        assert!(refused(r#"{"tenant":"x","scenario":"answer"}"#).contains("status"));
        assert!(refused(r#"{"tenant":"x","scenario":"clock-skew"}"#).contains("seconds"));
    }
}
