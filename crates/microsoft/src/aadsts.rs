//! Entra's answer → a finding. The one place that knows AADSTS numbers.
//!
//! The status and the numbers decide, because only numbers tell a wrong secret from an expired one; `error` does where
//! there is no number. A number that is not known is said to be so ([`FindingCode::SignInRefused`]), whatever `error`
//! beside it: one `error` has many causes, and a guess would send its reader to mend what is whole. What no known number
//! explains is told in Entra's own words.

use std::time::Duration;

use ::http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use postrider_domain::{Finding, FindingCode, TokenRefusal, limits};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::answer::Head;
use crate::entra::Proof;
use crate::http::{self, NoAnswer, shown};

/// What Entra means by a 429 that does not say how long.
const THROTTLED_DEFAULT: Duration = Duration::from_mins(1);
const EVIDENCE_CHARS_MAX: usize = 100;
const DESCRIPTION_CHARS_MAX: usize = 300;
/// The assertion is not good at this time.
const UNTIMELY: u64 = 700_024;

/// What came back from Entra. The body may hold a token, so that it is wiped and never shown.
pub(crate) struct EntraAnswer {
    pub status: u16,
    head: Head,
    body: Zeroizing<Vec<u8>>,
}

impl EntraAnswer {
    pub(crate) async fn read(response: reqwest::Response, now: Timestamp) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self::new(status, &headers, http::body(response, limits::ANSWER_BYTES_MAX).await, now)
    }

    pub(crate) fn new(status: u16, headers: &HeaderMap, body: Vec<u8>, now: Timestamp) -> Self {
        Self { status, head: Head::read(headers, now), body: Zeroizing::new(body) }
    }

    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok().filter(Value::is_object)
    }

    /// How far Entra's clock is ahead of ours, where it refused an assertion for its time.
    pub(crate) fn untimely(&self, now: Timestamp) -> Option<SignedDuration> {
        let json = self.json()?;
        let is_untimely = self.status != 200 && numbers(&json).contains(&UNTIMELY);
        self.head.time.filter(|_| is_untimely).map(|theirs| theirs.duration_since(now))
    }
}

/// Why there is no token, of an answer that holds none. `asked` is when by our clock.
pub(crate) fn refusal(answer: &EntraAnswer, proof: Option<&Proof<'_>>, asked: Timestamp) -> TokenRefusal {
    let json = answer.json();
    let text = |name: &str| json.as_ref().and_then(|json| json.get(name)).and_then(Value::as_str);
    let numbers = json.as_ref().map(numbers).unwrap_or_default();
    let code = with_proof(classify(answer.status, text("error"), &numbers), &numbers, proof, asked);
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
    if let Some(wait) = &answer.head.retry_after_text {
        finding = finding.with("retry_after", wait);
    }
    if code == FindingCode::SignInRefused || !numbers.iter().any(|number| of_number(*number).is_some()) {
        finding = told_whole(finding, &numbers, text("error_description"));
    }
    if let Some(skew) = answer.untimely(asked) {
        finding = finding.with("clock_skew_seconds", skew.as_secs());
    }
    let throttled = code == FindingCode::Throttled;
    TokenRefusal {
        finding: Box::new(finding),
        retry_after: answer.head.retry_after.or(throttled.then_some(THROTTLED_DEFAULT)),
    }
}

/// For what no number that is known explains: Entra's own words, and where it explains its number.
fn told_whole(finding: Finding, numbers: &[u64], description: Option<&str>) -> Finding {
    let words = description.map(|text| text.split(" Trace ID:").next().unwrap_or_default());
    let finding = match words {
        Some(words) => finding.with("description", shown(words, DESCRIPTION_CHARS_MAX)),
        None => finding,
    };
    match numbers.first() {
        Some(number) => {
            finding.with("look_up", format!("https://login.microsoftonline.com/error?code={number}"))
        }
        None => finding,
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
        _ => match numbers.iter().find_map(|number| of_number(*number)) {
            Some(known) => known,
            None if numbers.is_empty() => of_error(error),
            None => of_unknown_number(error),
        },
    }
}

/// Every number of AADSTS that a client-credentials client meets.
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
        700_027 | 50_012 | 50_013 | 50_027 | 50_048 | 700_030 | 50_146 => FindingCode::CertificateWrong,
        UNTIMELY => FindingCode::ClockSkewed,
        70_021 | 700_211 | 700_212 | 700_213 | 700_229 | 7_002_137 | 7_002_138 => {
            FindingCode::FederationWrong
        }
        90_055 | 50_196 => FindingCode::Throttled,
        90_006 | 90_012 | 90_022 | 90_024 | 90_033 | 90_090 | 50_033 => FindingCode::MicrosoftUnavailable,
        // The request itself: ours, or changed on the way.
        70_011 | 1_002_012 | 28_002 | 28_003 | 700_022 | 900_144 | 90_014 | 9_002_313 | 70_003 | 900_561 => {
            FindingCode::SignInRefused
        }
        _ => return None,
    })
}

/// Of `error`, beside a number that is not known, only this is certain: whether the fault passes by itself.
fn of_unknown_number(error: Option<&str>) -> FindingCode {
    match error {
        Some("temporarily_unavailable" | "server_error") => FindingCode::MicrosoftUnavailable,
        _ => FindingCode::SignInRefused,
    }
}

/// OAuth's `error`, where there is no number. Without one it need not be Entra's at all, but a gateway's on the way.
fn of_error(error: Option<&str>) -> FindingCode {
    match error {
        Some("invalid_client") => FindingCode::SecretWrong,
        Some("unauthorized_client") => FindingCode::ClientNotFound,
        Some("invalid_tenant") => FindingCode::TenantNotFound,
        Some("invalid_grant" | "interaction_required") => FindingCode::ConditionalAccessBlocked,
        Some("temporarily_unavailable" | "server_error") | None => FindingCode::MicrosoftUnavailable,
        Some(_) => FindingCode::SignInRefused,
    }
}

/// What Entra says of "the client's proof", in terms of the proof that was shown.
fn with_proof(
    code: FindingCode,
    numbers: &[u64],
    proof: Option<&Proof<'_>>,
    asked: Timestamp,
) -> FindingCode {
    use FindingCode as F;
    match (proof, code) {
        (Some(Proof::ClientSecret(_)), F::SecretWrong) => {
            let shape = proof.and_then(|proof| proof.looks_wrong(asked));
            shape.map_or(code, |finding| finding.code)
        }
        (Some(Proof::Certificate(certificate)), F::SecretWrong | F::CertificateWrong)
            if certificate.expire_time <= asked =>
        {
            F::CertificateExpired
        }
        (Some(Proof::Certificate(_)), F::SecretWrong) => F::CertificateWrong,
        (Some(Proof::Assertion(_)), F::SecretWrong | F::CertificateWrong) => F::FederationWrong,
        // The file that has the assertion is not renewed: nothing of our clock's.
        (Some(Proof::Assertion(_)), F::ClockSkewed) if numbers.contains(&UNTIMELY) => F::FederationWrong,
        _ => code,
    }
}

/// `error_codes`, or the number that opens the description where they are missing.
fn numbers(json: &Value) -> Vec<u64> {
    let listed = json.get("error_codes").and_then(Value::as_array);
    let listed: Vec<u64> = listed.into_iter().flatten().filter_map(Value::as_u64).collect();
    if !listed.is_empty() {
        return listed;
    }
    let description = json.get("error_description").and_then(Value::as_str);
    let digits = description.and_then(|text| text.strip_prefix("AADSTS")).unwrap_or_default();
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits.get(..end).and_then(|digits| digits.parse().ok()).into_iter().collect()
}
