//! Whatever goes in comes out: emails made at random, from a seed that is printed.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use super::*;

const CASES: u32 = 256;
/// Another one is given by `POSTRIDER_SEED`.
const SEED: u64 = 0x11;

/// Where the random begins.
#[expect(clippy::disallowed_methods, reason = "whoever looks into a failure gives the seed of a test")]
fn seed() -> u64 {
    std::env::var("POSTRIDER_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(SEED)
}

/// The same cases each time.
pub(super) fn runner() -> TestRunner {
    let seed = seed();
    println!("POSTRIDER_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&u64::to_le_bytes(seed));
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// Holds for all of them, or shows the smallest for which it does not.
fn holds(promise: impl Fn(EmailDraft)) {
    let checked = runner().run(&drafts(), |draft| {
        promise(draft);
        Ok(())
    });
    if let Err(TestError::Fail(reason, draft)) = checked {
        panic!("{reason}: {draft:#?}");
    }
}

/// Words of a header, such as a name or a subject, with all that needs quoting or encoding, and what looks encoded.
fn words(max: usize) -> impl Strategy<Value = String> {
    let char = prop_oneof![6 => "[a-zA-Z0-9]", 2 => "[ -~]", 2 => "[äßñ№中文🎉й]", 1 => any::<char>().prop_map(String::from), 1 => " =\\?utf-8\\?[BQ]\\?aGk=\\?= "];
    let text = proptest::collection::vec(char, 0..max).prop_map(|chars| chars.concat());
    text.prop_map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
        .prop_filter("header text", |text| HeaderText::parse(text, 255).is_ok())
}

fn addresses(max: usize) -> impl Strategy<Value = Vec<AddressDraft>> {
    let address = ("[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}", "[a-z]{1,20}", words(40))
        .prop_map(|(local, domain, name)| named(&name, &format!("{local}@{domain}.example")));
    proptest::collection::vec(address, 0..max)
}

fn files() -> impl Strategy<Value = Vec<AttachmentDraft>> {
    let name = words(60).prop_map(|name| format!("{}.bin", name.replace(['/', '\\'], "")).trim().to_owned());
    let id = proptest::option::of("[a-z0-9.]{1,30}@x").prop_map(Option::unwrap_or_default);
    let types = ["", "application/pdf", "application/x-thing; a=\"b c\"", "message/rfc822"];
    let content_type = proptest::sample::select(types.to_vec()).prop_map(str::to_owned);
    let file = (name, proptest::collection::vec(any::<u8>(), 0..300), id, content_type).prop_map(
        |(file_name, content, content_id, content_type)| AttachmentDraft {
            file_name,
            content_type,
            content: content.into(),
            content_id,
        },
    );
    proptest::collection::vec(file, 0..4).prop_map(apart)
}

/// No two with one content id.
fn apart(mut files: Vec<AttachmentDraft>) -> Vec<AttachmentDraft> {
    for (number, file) in files.iter_mut().enumerate().filter(|(_, file)| !file.content_id.is_empty()) {
        file.content_id.insert_str(0, &number.to_string());
    }
    files
}

fn threading() -> impl Strategy<Value = BTreeMap<String, String>> {
    let name = proptest::sample::select(vec![
        "In-Reply-To",
        "References",
        "List-Unsubscribe",
        "Thread-Topic",
        "Auto-Submitted",
    ]);
    proptest::collection::btree_map(name.prop_map(str::to_owned), "[!-~]{1,60}( [!-~]{1,60}){0,8}", 0..4)
}

pub(super) fn drafts() -> impl Strategy<Value = EmailDraft> {
    let bodies = ("[ -~\\näöü€]{1,400}", "[ -~\\näöü€]{0,400}");
    let lists = (addresses(6), addresses(3), addresses(3), addresses(3));
    let importance = proptest::sample::select(vec![Importance::Low, Importance::Normal, Importance::High]);
    (bodies, lists, words(120), files(), threading(), importance).prop_map(
        |((text, html), (to, cc, bcc, reply_to), subject, attachments, headers, importance)| EmailDraft {
            to: [plain().to, to].concat(),
            cc,
            bcc,
            reply_to,
            subject,
            text,
            html,
            attachments,
            headers,
            importance,
            ..plain()
        },
    )
}

#[test]
fn whatever_is_built_reads_back_the_same() {
    holds(|draft| {
        let (email, message) = mime(draft);
        assert_well_formed(&message);
        assert_eq!(headers_found(&message), intended_headers(&email));
        let parsed = MessageParser::new().parse(&message).expect("a message");
        assert_reads_back(&email, &parsed);
    });
}

#[test]
fn json_holds_the_same() {
    holds(|draft| {
        let headers = BTreeMap::from([("x-order".to_owned(), "4711".to_owned())]);
        let (email, payload) = build(EmailDraft { headers, ..draft });
        let json: serde_json::Value = serde_json::from_slice(request(&payload)).expect("JSON");
        let message = &json["message"];
        assert_eq!(&message["subject"], email.subject.as_str());
        assert_eq!(message["toRecipients"].as_array().map(Vec::len), Some(email.to.len()));
        assert_eq!(message["body"]["content"].as_str(), email.html.as_deref().or(email.text.as_deref()));
        assert_eq!(message["internetMessageHeaders"][0]["name"].as_str(), Some("x-order"));
        let files = message["attachments"].as_array().map(Vec::len).unwrap_or_default();
        assert_eq!(files, email.attachments.len());
        for (file, sent) in
            email.attachments.iter().zip(message["attachments"].as_array().into_iter().flatten())
        {
            let bytes = BASE64.decode(sent["contentBytes"].as_str().unwrap_or_default().as_bytes());
            assert_eq!(bytes.expect("base64"), file.content);
            assert_eq!(sent["name"].as_str(), Some(file.file_name.as_str()));
        }
        assert!(json.get("saveToSentItems").is_none());
    });
}

/// The one that decides between a request and a draft.
#[test]
fn how_much_it_takes_is_known_before_it_is_built() {
    holds(|draft| {
        for save_to_sent_items in [true, false] {
            let (email, payload) =
                build(EmailDraft { save_to_sent_items, headers: BTreeMap::new(), ..draft.clone() });
            let date = "2026-11-23T10:00:00Z".parse().expect("a time");
            let known = request_len(&email, &settings(), payload.form(), ID, date);
            assert_eq!(known, request(&payload).len());
        }
    });
}
