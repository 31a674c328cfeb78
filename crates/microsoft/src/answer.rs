//! What came back, kept whole: the status, the codes, the ids that Microsoft's support asks for.
//!
//! Everything in it is another's text, so that it is bounded and cleaned of control characters on the way in.

use std::time::Duration;

use http::HeaderMap;
use http::header::{CONTENT_TYPE, DATE, RETRY_AFTER, WWW_AUTHENTICATE};
use jiff::Timestamp;
use postrider_domain::Finding;
use serde_json::Value;

use crate::http::shown;
use crate::retry_after;

const TEXT_CHARS_MAX: usize = 300;
const ID_CHARS_MAX: usize = 64;
/// Levels of `innerError` looked at.
const DEPTH_MAX: usize = 5;
const CHALLENGE: &[u8] = b"insufficient_claims";

/// The headers that both services share.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Head {
    pub retry_after: Option<Duration>,
    /// As it was written.
    pub retry_after_text: Option<String>,
    pub date: Option<String>,
    /// The other side's clock.
    pub time: Option<Timestamp>,
    content_type: String,
}

impl Head {
    pub(crate) fn read(headers: &HeaderMap, now: Timestamp) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        Self {
            retry_after: text(RETRY_AFTER).and_then(|wait| retry_after::parse(wait, text(DATE), now)),
            retry_after_text: text(RETRY_AFTER).map(|wait| shown(wait, ID_CHARS_MAX)),
            date: text(DATE).map(|date| shown(date, ID_CHARS_MAX)),
            time: text(DATE).and_then(retry_after::date),
            content_type: text(CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase(),
        }
    }

    pub(crate) fn content(&self, body: &[u8]) -> Content {
        match self.content_type.split(';').next().unwrap_or_default().trim() {
            _ if body.is_empty() => Content::Empty,
            "application/json" => Content::Json,
            "text/html" => Content::Html,
            "text/plain" => Content::Text,
            _ => Content::Other,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    Empty,
    Json,
    Html,
    Text,
    Other,
}

impl Content {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Json => "json",
            Self::Html => "html",
            Self::Text => "text",
            Self::Other => "other",
        }
    }
}

/// One answer of Graph's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub status: u16,
    /// `error.code`, then those inside it, the innermost last. Empty where no error of Graph's came.
    pub codes: Vec<String>,
    /// `error.message`: for people.
    pub message: String,
    pub request_id: Option<String>,
    pub client_request_id: Option<String>,
    pub diagnostic: Option<String>,
    pub content: Content,
    /// The token is good no more, whatever its time says (continuous access evaluation).
    pub challenged: bool,
    pub head: Head,
}

impl Answer {
    pub(crate) fn read(status: u16, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Self {
        let head = Head::read(headers, now);
        let id =
            |name| headers.get(name).and_then(|value| value.to_str().ok()).map(|id| shown(id, ID_CHARS_MAX));
        let json = serde_json::from_slice::<Value>(body).ok();
        let error = json.as_ref().and_then(|json| json.get("error"));
        Self {
            status,
            codes: codes(error),
            message: error
                .map(|error| text(error, "message", TEXT_CHARS_MAX).unwrap_or_default())
                .unwrap_or_default(),
            request_id: id("request-id")
                .or_else(|| inner(error?).and_then(|e| text(e, "request-id", ID_CHARS_MAX))),
            client_request_id: id("client-request-id"),
            diagnostic: headers
                .get("x-ms-ags-diagnostic")
                .and_then(|value| value.to_str().ok())
                .map(|diagnostic| shown(diagnostic, TEXT_CHARS_MAX)),
            content: head.content(body),
            challenged: headers
                .get_all(WWW_AUTHENTICATE)
                .iter()
                .any(|value| value.as_bytes().windows(CHALLENGE.len()).any(|part| part == CHALLENGE)),
            head,
        }
    }

    /// The finding with all that this answer can prove it by.
    pub(crate) fn evidence(&self, finding: Finding) -> Finding {
        let mut finding = finding.with("http_status", self.status);
        let inner = self.codes.get(1..).unwrap_or_default().join(" ");
        let optional = [
            ("error_code", self.codes.first()),
            ("inner_code", Some(&inner).filter(|inner| !inner.is_empty())),
            ("request_id", self.request_id.as_ref()),
            ("client_request_id", self.client_request_id.as_ref()),
            ("date", self.head.date.as_ref()),
            ("retry_after", self.head.retry_after_text.as_ref()),
            ("message", Some(&self.message).filter(|message| !message.is_empty())),
            ("x_ms_ags_diagnostic", self.diagnostic.as_ref()),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                finding = finding.with(name, value);
            }
        }
        if self.codes.is_empty() {
            finding = finding.with("content", self.content.as_str());
        }
        finding
    }
}

fn codes(error: Option<&Value>) -> Vec<String> {
    std::iter::successors(error, |error| inner(error))
        .take(DEPTH_MAX)
        .filter_map(|error| text(error, "code", ID_CHARS_MAX))
        .filter(|code| !code.is_empty())
        .collect()
}

/// Graph spells it both ways.
fn inner(error: &Value) -> Option<&Value> {
    error.get("innerError").or_else(|| error.get("innererror"))
}

fn text(error: &Value, name: &str, chars_max: usize) -> Option<String> {
    error.get(name).and_then(Value::as_str).map(|text| shown(text, chars_max))
}
