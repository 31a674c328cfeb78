//! Entra's answer → a finding. The one place that knows AADSTS numbers.
//!
//! `error` and the status decide; the numbers explain, because only they tell a wrong secret from an expired one.

use std::time::Duration;

use jiff::Timestamp;
use postrider_domain::{Credential, Finding, FindingCode, TokenRefusal};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::answer::Head;
use crate::http::{self, NoAnswer, shown};

/// What Entra means by a 429 that does not say how long.
const THROTTLED_DEFAULT: Duration = Duration::from_mins(1);
const EVIDENCE_CHARS_MAX: usize = 100;

/// What came back from Entra. The body may hold a token, so that it is wiped and never shown.
pub(crate) struct EntraAnswer {
    pub status: u16,
    head: Head,
    body: Zeroizing<Vec<u8>>,
}

impl EntraAnswer {
    pub(crate) async fn read(response: reqwest::Response, now: Timestamp) -> Self {
        let status = response.status().as_u16();
        let head = Head::read(response.headers(), now);
        Self { status, head, body: Zeroizing::new(http::body(response).await) }
    }

    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok().filter(Value::is_object)
    }
}

/// Why there is no token, of an answer that holds none.
pub(crate) fn refusal(answer: &EntraAnswer, credential: Option<&Credential>) -> TokenRefusal {
    let json = answer.json();
    let text = |name: &str| json.as_ref().and_then(|json| json.get(name)).and_then(Value::as_str);
    let numbers = numbers(json.as_ref(), text("error_description"));
    let code = match classify(answer.status, text("error"), &numbers) {
        FindingCode::SecretWrong if credential.is_some_and(Credential::is_secret_id) => {
            FindingCode::SecretIsId
        }
        code => code,
    };
    let mut finding = Finding::new(code).with("http_status", answer.status);
    for name in ["error", "suberror", "trace_id", "correlation_id", "timestamp"] {
        if let Some(value) = text(name) {
            finding = finding.with(name, shown(value, EVIDENCE_CHARS_MAX));
        }
    }
    if let Some(number) = numbers.first() {
        finding = finding.with("error_code", format!("AADSTS{number}"));
    }
    if json.is_none() {
        finding = finding.with("content", answer.head.content(&answer.body).as_str());
    }
    let retry_after = answer.head.retry_after;
    let throttled = code == FindingCode::Throttled;
    TokenRefusal {
        finding: Box::new(finding),
        retry_after: retry_after.or(throttled.then_some(THROTTLED_DEFAULT)),
    }
}

/// A request for a token can be made again without harm, so that every lack of an answer is the same.
pub(crate) fn unreachable(no_answer: &NoAnswer) -> Finding {
    Finding::new(FindingCode::NetworkUnreachable)
        .with("failure", no_answer.failure)
        .with("cause", &no_answer.cause)
}

fn classify(status: u16, error: Option<&str>, numbers: &[u64]) -> FindingCode {
    match status {
        429 => FindingCode::Throttled,
        500.. | ..400 => FindingCode::MicrosoftUnavailable,
        _ => numbers
            .iter()
            .find_map(|number| of_number(*number))
            .or_else(|| error.and_then(of_error))
            .unwrap_or(FindingCode::MicrosoftUnavailable),
    }
}

/// AADSTS numbers that a client-credentials client meets. Numbers that mean our own fault are left to `of_error`.
fn of_number(number: u64) -> Option<FindingCode> {
    Some(match number {
        7_000_215 | 7_000_216 | 7_000_218 => FindingCode::SecretWrong,
        7_000_222 => FindingCode::SecretExpired,
        700_016 | 700_011 => FindingCode::ClientNotFound,
        7_000_229 => FindingCode::ServicePrincipalMissing,
        7_000_112 | 70_001 | 500_014 | 1_000_031 => FindingCode::AppDisabled,
        650_052 | 650_056 | 650_057 => FindingCode::ConsentMissing,
        90_002 | 900_023 | 90_038 | 900_432 | 900_382 | 50_049 | 9_001_023 | 50_059 | 50_194 | 500_011 => {
            FindingCode::TenantNotFound
        }
        53_003 | 530_032 | 530_035 => FindingCode::ConditionalAccessBlocked,
        700_027 | 700_024 | 50_012 | 50_013 | 50_027 | 50_048 | 700_030 | 50_146 => {
            FindingCode::CertificateWrong
        }
        70_021 | 700_211 | 700_212 | 700_213 | 700_229 | 7_002_137 | 7_002_138 => {
            FindingCode::FederationWrong
        }
        90_055 | 50_196 => FindingCode::Throttled,
        90_006 | 90_012 | 90_022 | 90_024 | 90_033 | 90_090 | 50_033 => FindingCode::MicrosoftUnavailable,
        _ => return None,
    })
}

/// OAuth's `error`, where no number is known.
fn of_error(error: &str) -> Option<FindingCode> {
    Some(match error {
        "invalid_client" => FindingCode::SecretWrong,
        "unauthorized_client" => FindingCode::ClientNotFound,
        "invalid_tenant" => FindingCode::TenantNotFound,
        "invalid_grant" | "interaction_required" => FindingCode::ConditionalAccessBlocked,
        // invalid_request, invalid_scope, unsupported_grant_type: ours, not the reseller's. temporarily_unavailable,
        // server_error, and what is not known: Microsoft's.
        _ => return None,
    })
}

/// `error_codes`, or the number that opens the description where they are missing.
fn numbers(json: Option<&Value>, description: Option<&str>) -> Vec<u64> {
    let listed = json.and_then(|json| json.get("error_codes")).and_then(Value::as_array);
    let listed: Vec<u64> = listed.into_iter().flatten().filter_map(Value::as_u64).collect();
    if !listed.is_empty() {
        return listed;
    }
    let digits = description.and_then(|text| text.strip_prefix("AADSTS")).unwrap_or_default();
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits.get(..end).and_then(|digits| digits.parse().ok()).into_iter().collect()
}
