//! What must hold for any bytes at all: the targets of `fuzz/`. The tests run them too, over the committed corpus and
//! its mutations.
//!
//! | target | bytes | holds |
//! | --- | --- | --- |
//! | [`mime`] | the fields of an email, each ended by NUL | what is taken becomes one mail with no header but its own |
//! | [`graph_answer`], [`entra_answer`] | an HTTP answer | one verdict; only 202 is sent; evidence is bounded and has no token |
//! | [`certificate`] | a file and, after a NUL, a passphrase | a certificate with its key or a sentence, in bounded time |
//! | [`retry_after`] | a header | never a panic, never more than ten years |

#![expect(clippy::panic, reason = "a target says by a panic that a promise was broken")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use mail_parser::MessageParser;
use postrider_domain::{
    AddressDraft, AttachmentDraft, ClientId, Cloud, DirectoryId, Email, EmailAddress, EmailDraft, Outcome,
    PaceOverride, PayloadForm, SettingsValues, Verdict,
};

use crate::answer::Answer;
use crate::classify::{Call, Step, classify};
use crate::payload::Shape;
use crate::{CertificateFile, Payload, TokenRoles, aadsts, entra, read_certificate, upload};

/// A target by its name, which is also the folder of its corpus.
pub type Target = (&'static str, fn(&[u8]));

pub const TARGETS: [Target; 5] = [
    ("mime", mime),
    ("graph_answer", graph_answer),
    ("entra_answer", entra_answer),
    ("certificate", certificate),
    ("retry_after", retry_after),
];

const EVIDENCE_BYTES_MAX: usize = 8 * 1024;
const TEN_YEARS: Duration = Duration::from_hours(10 * 365 * 24);
/// Far more than the largest file takes, even without optimisation.
const CERTIFICATE_TIME_MAX: Duration = Duration::from_mins(1);

pub fn mime(bytes: &[u8]) {
    let mut fields = bytes.split(|byte| *byte == 0).map(|field| String::from_utf8_lossy(field).into_owned());
    let mut next = || fields.next().unwrap_or_default();
    let to = AddressDraft { address: "ada@example.net".to_owned(), display_name: next() };
    let cc = next();
    let cc = if cc.is_empty() { Vec::new() } else { vec![AddressDraft { address: cc, ..to.clone() }] };
    let (subject, text, html) = (next(), next(), next());
    let headers = BTreeMap::from([(next(), next())]);
    let headers = headers.into_iter().filter(|(name, _)| !name.is_empty()).collect();
    let file = AttachmentDraft {
        file_name: next(),
        content_type: next(),
        content_id: next(),
        content: next().into_bytes().into(),
    };
    let attachments = if file.file_name.is_empty() { Vec::new() } else { vec![file] };
    let draft = EmailDraft {
        to: vec![to],
        cc,
        subject,
        text,
        html,
        headers,
        attachments,
        save_to_sent_items: true,
        ..EmailDraft::default()
    };
    let Ok(email) = Email::parse(draft, "email") else { return };
    let payload = Payload::build(&email, &settings(), "<0192f0c1@acme.example>", Timestamp::UNIX_EPOCH);
    let Shape::Request(body) = &payload.shape else { panic!("a request became a draft") };
    match payload.form() {
        PayloadForm::Mime => check_mail(&email, body),
        PayloadForm::Json => {
            let json: serde_json::Value =
                serde_json::from_slice(body).unwrap_or_else(|error| panic!("no JSON: {error}"));
            assert_eq!(json["message"]["subject"], email.subject.as_str());
        }
    }
}

fn check_mail(email: &Email, body: &[u8]) {
    let Ok(message) = data_encoding::BASE64.decode(body) else { panic!("no base64") };
    let Ok(text) = std::str::from_utf8(&message) else { panic!("no text") };
    assert!(text.is_ascii() && text.ends_with("\r\n"), "ASCII in whole lines");
    for line in text.split("\r\n") {
        assert!(line.len() <= 998 && !line.contains(['\r', '\n', '\0']), "a line: {line:?}");
    }
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    let own = ["From", "To", "Cc", "Subject", "Date", "Message-ID", "MIME-Version"];
    for line in head.split("\r\n").filter(|line| !line.starts_with([' ', '\t'])) {
        let name = line.split(':').next().unwrap_or_default();
        let asked_for = email.headers.iter().any(|(own, _)| own.as_str() == name);
        assert!(own.contains(&name) || name.starts_with("Content-") || asked_for, "{name} was not asked for");
    }
    let Some(read) = MessageParser::new().parse(&message) else { panic!("no mail") };
    assert_eq!(read.subject().unwrap_or_default(), email.subject.as_str());
    let count = |list: Option<&mail_parser::Address<'_>>| list.map_or(0, |list| list.iter().count());
    assert_eq!((count(read.to()), count(read.cc()), count(read.bcc())), (1, email.cc.len(), 0));
    assert_eq!(read.attachments().count(), email.attachments.len(), "{text}");
}

fn settings() -> SettingsValues {
    let parsed =
        DirectoryId::parse("contoso.example").ok().zip(EmailAddress::parse("sales@acme.example").ok());
    let Some((directory, mailbox)) = parsed else { panic!("settings") };
    let Ok(client) = ClientId::parse("11111111-2222-3333-4444-555555555555") else { panic!("settings") };
    SettingsValues {
        directory,
        client,
        mailbox,
        cloud: Cloud::Global,
        send_as: Vec::new(),
        pace: PaceOverride::default(),
        labels: BTreeMap::new(),
    }
}

pub fn graph_answer(bytes: &[u8]) {
    let (status, headers, body) = answer(bytes);
    let answer = Answer::read(status, &headers, &body, Timestamp::UNIX_EPOCH);
    for step in [Step::Send, Step::Prepare] {
        for form in [PayloadForm::Mime, PayloadForm::Json] {
            let call = Call { from_given: false, form, roles: TokenRoles::default(), step };
            let verdict = classify(&answer, &call);
            let is_sent = verdict.outcome == Outcome::Sent;
            assert_eq!(is_sent, status == 202 && step == Step::Send, "{status}: {verdict:?}");
            let may_doubt = step == Step::Send;
            assert!(may_doubt || verdict.outcome != Outcome::InDoubt, "{verdict:?}");
            check_evidence(&verdict);
        }
    }
    let _ = upload::expected(&body);
    let document = serde_json::from_slice(&body).unwrap_or_default();
    let _ = entra::discovered(&document);
}

pub fn entra_answer(bytes: &[u8]) {
    let (status, headers, body) = answer(bytes);
    let now = Timestamp::UNIX_EPOCH;
    let answer = aadsts::EntraAnswer::new(status, &headers, body.to_vec(), now);
    if let Some(token) = entra::issued(&answer, now) {
        assert_eq!(status, 200, "a token of no 200");
        assert!(token.expire_time >= now);
        assert!(!format!("{token:?}").contains("e30."), "a token is not shown");
        return;
    }
    let _ = answer.untimely(now);
    let refusal = aadsts::refusal(&answer, None, now);
    let verdict = Verdict::of(Outcome::Deferred, *refusal.finding);
    check_evidence(&verdict);
    assert!(refusal.retry_after.is_none_or(|wait| wait <= TEN_YEARS));
}

/// What is told of an answer is short, one line each, and no part of it is a token.
fn check_evidence(verdict: &Verdict) {
    assert!(verdict.retry_after.is_none_or(|wait| wait <= TEN_YEARS));
    let Some(finding) = &verdict.finding else { return };
    let bytes: usize = finding.evidence.iter().map(|(name, value)| name.len() + value.len()).sum();
    assert!(bytes <= EVIDENCE_BYTES_MAX, "{bytes} bytes of evidence");
    for value in finding.evidence.values() {
        assert!(!value.chars().any(char::is_control), "{value:?}");
    }
}

/// `HTTP/1.1 403 …`, headers, an empty line, a body: as the recorded answers are written.
fn answer(bytes: &[u8]) -> (u16, HeaderMap, Bytes) {
    let text_end = bytes.windows(2).position(|pair| pair == b"\n\n").unwrap_or(bytes.len());
    let head = String::from_utf8_lossy(bytes.get(..text_end).unwrap_or_default()).into_owned();
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or(500);
    let mut headers = HeaderMap::new();
    for line in lines.take(64) {
        let Some((name, value)) = line.split_once(':') else { continue };
        let parsed = HeaderName::try_from(name.trim()).ok().zip(HeaderValue::try_from(value.trim()).ok());
        if let Some((name, value)) = parsed {
            headers.append(name, value);
        }
    }
    (status, headers, Bytes::copy_from_slice(bytes.get(text_end + 2..).unwrap_or_default()))
}

pub fn certificate(bytes: &[u8]) {
    let begun = Instant::now();
    let mut parts = bytes.rsplitn(2, |byte| *byte == 0);
    let passphrase = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let file = parts.next().unwrap_or(bytes);
    let text = String::from_utf8_lossy(file);
    for file in [CertificateFile::Pem(&text), CertificateFile::Pfx(file)] {
        match read_certificate(&file, &passphrase, false) {
            Ok(read) => assert!(!read.chain.is_empty(), "a certificate without one"),
            Err(reason) => assert!(!reason.to_string().is_empty()),
        }
    }
    assert!(begun.elapsed() < CERTIFICATE_TIME_MAX, "it took {:?}", begun.elapsed());
}

pub fn retry_after(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (header, answered) = text.split_once('\n').unwrap_or((&text, ""));
    let wait = crate::retry_after::parse(header, Some(answered), Timestamp::UNIX_EPOCH);
    assert!(wait.is_none_or(|wait| wait <= TEN_YEARS), "{wait:?}");
}
