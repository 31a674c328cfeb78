//! What must hold for any bytes that a caller or an operator gives: targets of `fuzz/`. The tests run them too, over the committed corpus
//! and its mutations.
//!
//! | target | bytes | holds |
//! | --- | --- | --- |
//! | [`send_mail`] | a `SendMailRequest`, on the wire or in JSON | what is taken reads back from the content that is stored; what is not is told by its fields |
//! | [`settings`] | a `Settings`, the same | settings and a credential that does not show, or what is wrong with them |
//! | [`page_token`], [`cursor`] | what stands in for one | a place that is written as it is read, or one fault |
//! | [`configuration`] | a file; after a NUL `NAME=value` of the environment, after another `key=value` of the command line | a configuration whose listeners are safe, or a sentence |

#![expect(clippy::panic, reason = "a target says by a panic that a promise was broken")]

use std::sync::LazyLock;

use http::HeaderMap;
use jiff::Timestamp;
use postrider_domain::{MessageId, PaceLimits, ResellerId, Violations, limits};
use postrider_proto::v1;
use tonic_types::StatusExt as _;

use crate::config::{Config, Sources};
use crate::convert::{candidate, content, from_proto, page};
use crate::json::Codec;
use crate::rpc::audit;
use crate::status::{CallId, Refusal};
use crate::watch::cursor::Cursor;

/// A target by its name, which is also the folder of its corpus.
pub type Target = (&'static str, fn(&[u8]));

pub const TARGETS: [Target; 5] = [
    ("send_mail", send_mail),
    ("settings", settings),
    ("page_token", page_token),
    ("cursor", cursor),
    ("configuration", configuration),
];

/// Of what a refusal becomes on the wire; a client takes 8 KiB of headers at least.
const STATUS_BYTES_MAX: usize = 8 * 1024;
const SENTENCE_BYTES_MAX: usize = 2 * 1024;

static CODEC: LazyLock<Option<Codec>> = LazyLock::new(|| Codec::new().ok());

/// As the API's two doors read it: JSON where it begins as such, protobuf otherwise.
pub fn request<M: prost::Message + Default>(name: &str, bytes: &[u8]) -> Option<M> {
    if bytes.first() == Some(&b'{') {
        return CODEC.as_ref().and_then(|codec| codec.read(name, bytes).ok());
    }
    M::decode(bytes).ok()
}

pub fn send_mail(bytes: &[u8]) {
    let Some(request) = request::<v1::SendMailRequest>("SendMailRequest", bytes) else { return };
    let Ok(stored) = content::of_request(&request, limits::MESSAGE_BYTES_MAX) else { return };
    let now = Timestamp::UNIX_EPOCH;
    match from_proto::send_mail(request, now) {
        Ok(asked) => {
            assert!(asked.expire_time > asked.send_time.unwrap_or(now));
            assert_eq!(content::decode(stored.into()), Some(asked.email));
        }
        Err(wrong) => check(wrong),
    }
}

/// Every fault names a field, and all of them together are a status that any client takes.
fn check(wrong: Violations) {
    assert!(!wrong.is_empty(), "refused for nothing");
    for fault in wrong.iter() {
        let is_told = !fault.field.is_empty() && !fault.description.is_empty();
        assert!(is_told && !fault.description.chars().any(char::is_control), "{fault:?}");
    }
    let status = Refusal::Invalid(wrong).into_status(CallId::fresh());
    assert!(status.get_details_bad_request().is_some_and(|told| !told.field_violations.is_empty()));
    let mut headers = HeaderMap::new();
    assert!(status.add_header(&mut headers).is_ok(), "a status that is no header");
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    assert!(bytes <= STATUS_BYTES_MAX, "a status of {bytes} bytes");
}

pub fn settings(bytes: &[u8]) {
    let Some(given) = request::<v1::Settings>("Settings", bytes) else { return };
    let secret = match &given.credential {
        Some(v1::settings::Credential::ClientSecret(secret)) => secret.value.clone(),
        _ => String::new(),
    };
    let operator = PaceLimits { concurrency: 4, messages_per_minute: 30, recipients_per_day: 10_000 };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else { panic!("a runtime") };
    let read = runtime.block_on(candidate(given, operator));
    // Shorter ones stand in our own words.
    if secret.len() >= 16 {
        assert!(!format!("{read:?}").contains(&secret), "a secret is shown");
    }
    if read.wrong.is_empty() {
        assert!(read.values.is_some() && read.credential.is_some(), "not taken for nothing");
    } else {
        check(read.wrong);
    }
}

pub fn page_token(bytes: &[u8]) {
    let token = String::from_utf8_lossy(bytes);
    let reseller = |text: &str| ResellerId::parse(text).ok();
    goes_on(&token, MessageId::parse, ToString::to_string);
    goes_on(&token, reseller, |last| last.as_str().to_owned());
    goes_on(&token, audit::parse, audit::written);
}

/// The token is of a place, which is written as it is read; or it is told as wrong, and there is none.
fn goes_on<T: PartialEq>(token: &str, parse: impl Fn(&str) -> Option<T>, write: impl Fn(&T) -> String) {
    let mut wrong = Violations::default();
    match page::after(token, &parse, &mut wrong) {
        Some(place) => {
            let again = page::after(&page::token(&write(&place)), &parse, &mut wrong);
            assert!(wrong.is_empty() && again == Some(place), "{token:?} leads elsewhere");
        }
        None => assert_eq!(wrong.is_empty(), token.is_empty(), "{token:?}"),
    }
}

pub fn cursor(bytes: &[u8]) {
    if let Some((epoch, cursor)) = Cursor::parse(&String::from_utf8_lossy(bytes)) {
        assert_eq!(Cursor::parse(&cursor.to_text(epoch.as_deref())), Some((epoch, cursor)));
    }
}

pub fn configuration(bytes: &[u8]) {
    let mut parts = bytes.splitn(3, |byte| *byte == 0);
    let file = std::env::temp_dir().join(format!("postrider-fuzz-{}.toml", std::process::id()));
    let written = std::fs::write(&file, parts.next().unwrap_or_default());
    assert!(written.is_ok(), "{} cannot be written", file.display());
    let mut pairs = || -> Vec<(String, String)> {
        let text = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    let (environment, overrides) = (pairs(), pairs());
    let sources = Sources { file: Some(file.clone()), environment, overrides, ..Sources::default() };
    let loaded = Config::load(sources);
    drop(std::fs::remove_file(file));
    match loaded {
        Ok(Config { listen, tls, .. }) => {
            let is_at_home = listen.grpc.ip().is_loopback() && listen.http.ip().is_loopback();
            assert!(is_at_home || listen.allow_plaintext || tls.certificate_file.is_some(), "{listen:?}");
        }
        Err(error) => {
            let told = error.to_string();
            assert!(!told.is_empty() && told.len() <= SENTENCE_BYTES_MAX, "{} bytes", told.len());
            assert!(!told.chars().any(char::is_control), "{told:?}");
        }
    }
}
