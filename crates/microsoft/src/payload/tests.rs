//! What is built reads back as what was asked for, by another's parser, and holds nothing else.

use std::collections::BTreeMap;

use mail_parser::{Message, MessageParser, MimeHeaders};
use postrider_domain::{
    Address, AddressDraft, AttachmentDraft, ClientId, Cloud, DirectoryId, EmailDraft, HeaderText, Importance,
    PaceOverride,
};
use proptest::prelude::*;

use super::*;

const ID: &str = "<0192f0c1-2b3d-7e4f-8000-00000000000a@acme.example>";

fn settings() -> SettingsValues {
    SettingsValues {
        directory: DirectoryId::parse("contoso.example").expect("a domain"),
        client: ClientId::parse("11111111-2222-3333-4444-555555555555").expect("a GUID"),
        mailbox: EmailAddress::parse("sales@acme.example").expect("an address"),
        cloud: Cloud::Global,
        send_as: Vec::new(),
        pace: PaceOverride::default(),
        labels: BTreeMap::new(),
    }
}

fn build(draft: EmailDraft) -> (Email, Payload) {
    let email = Email::parse(draft, "email").expect("an email");
    let payload = Payload::build(&email, &settings(), ID, "2026-11-23T10:00:00Z".parse().expect("a time"));
    (email, payload)
}

fn mime(draft: EmailDraft) -> (Email, Vec<u8>) {
    let (email, payload) = build(draft);
    assert_eq!(payload.form(), PayloadForm::Mime);
    (email, BASE64.decode(request(&payload)).expect("base64"))
}

/// The body of the one request.
fn request(payload: &Payload) -> &[u8] {
    let Shape::Request(body) = &payload.shape else { panic!("a draft: {payload:?}") };
    body
}

fn plain() -> EmailDraft {
    EmailDraft {
        to: vec![named("Ada", "ada@example.net")],
        text: "Hi".into(),
        save_to_sent_items: true,
        ..EmailDraft::default()
    }
}

fn named(name: &str, address: &str) -> AddressDraft {
    AddressDraft { address: address.into(), display_name: name.into() }
}

fn file(name: &str, content_type: &str, content_id: &str) -> AttachmentDraft {
    AttachmentDraft {
        file_name: name.into(),
        content_type: content_type.into(),
        content: vec![0, 1, 2, 255].into(),
        content_id: content_id.into(),
    }
}

fn full() -> EmailDraft {
    EmailDraft {
        from: Some(named("Sales, \"the\" Team", "sales@acme.example")),
        cc: vec![named("", "cc@example.net")],
        bcc: vec![named("Архив", "archive@acme.example")],
        reply_to: vec![named("Desk", "desk@acme.example")],
        subject: "Angebot № 4711".into(),
        text: "Grüße\nEnde".into(),
        html: "<p>Grüße <img src=\"cid:logo1\"></p>".into(),
        attachments: vec![
            file("logo.png", "image/png", "logo1"),
            file("Übersicht.pdf", "application/pdf", ""),
        ],
        headers: [("References", "<a@x.example> <b@x.example>"), ("Auto-Submitted", "auto-generated")]
            .map(|(name, value)| (name.into(), value.into()))
            .into(),
        importance: Importance::High,
        ..plain()
    }
}

#[test]
fn a_full_mail_in_mime() {
    let (_, message) = mime(full());
    insta::assert_snapshot!(String::from_utf8(message).expect("ASCII").replace("\r\n", "\n"));
}

#[test]
fn a_full_mail_in_json() {
    let headers = [("x-order", "4711")].map(|(name, value)| (name.into(), value.into())).into();
    let from = Some(named("Desk", "desk@acme.example"));
    let (_, payload) = build(EmailDraft { save_to_sent_items: false, headers, from, ..full() });
    assert_eq!(payload.form(), PayloadForm::Json);
    let json: serde_json::Value = serde_json::from_slice(request(&payload)).expect("JSON");
    insta::assert_snapshot!(serde_json::to_string_pretty(&json).expect("JSON"));
}

#[test]
fn a_plain_mail_has_no_layers() {
    let (_, message) = mime(plain());
    insta::assert_snapshot!(String::from_utf8(message).expect("ASCII").replace("\r\n", "\n"));
}

#[test]
fn the_same_message_is_the_same_bytes_each_time() {
    assert_eq!(mime(full()).1, mime(full()).1);
}

#[test]
fn what_looks_encoded_reads_back_as_it_was_written() {
    for subject in
        ["=?utf-8?Q?Bcc=3A_x?=", "  indented", "trailing ", "", " ", &"x".repeat(255), &"ß".repeat(255)]
    {
        let (_, message) = mime(EmailDraft { subject: subject.into(), ..plain() });
        assert_well_formed(&message);
        let message = MessageParser::new().parse(&message).expect("a message");
        assert_eq!(message.subject().unwrap_or_default(), subject);
    }
}

#[test]
fn a_header_without_a_blank_to_fold_at_still_fits_its_line() {
    let value = format!("<https://list.example/{}>", "u".repeat(3_900));
    let headers = BTreeMap::from([("List-Unsubscribe".to_owned(), value)]);
    assert_well_formed(&mime(EmailDraft { headers, ..plain() }).1);
}

#[test]
fn a_file_that_calls_itself_a_layer_is_none() {
    let attachments = vec![file("a.eml", "Multipart/Mixed; boundary=\"x\"", "")];
    let (_, message) = mime(EmailDraft { attachments, ..plain() });
    let message = MessageParser::new().parse(&message).expect("a message");
    assert_eq!(message.attachment(0).expect("the file").contents(), [0, 1, 2, 255]);
}

#[test]
fn a_message_id_is_the_same_for_every_attempt() {
    let id = MessageId::parse("0192f0c1-2b3d-7e4f-8000-00000000000a").expect("an id");
    assert_eq!(internet_message_id(id, &settings().mailbox), ID);
}

/// Lines that end in CRLF, hold 998 characters at most, and ASCII only.
fn assert_well_formed(message: &[u8]) {
    assert!(message.is_ascii());
    let text = std::str::from_utf8(message).expect("ASCII");
    assert!(text.ends_with("\r\n"));
    for line in text.split("\r\n") {
        assert!(line.len() <= 998 && !line.contains(['\r', '\n']), "{line:?}");
    }
}

fn intended_headers(email: &Email) -> Vec<String> {
    let lists = [("To", &email.to), ("Cc", &email.cc), ("Bcc", &email.bcc), ("Reply-To", &email.reply_to)];
    let lists = lists.into_iter().filter(|(_, list)| !list.is_empty()).map(|(name, _)| name);
    let mut names: Vec<String> = std::iter::once("From").chain(lists).map(str::to_owned).collect();
    names.extend(["Subject", "Date", "Message-ID"].map(str::to_owned));
    names.extend((email.importance != Importance::Normal).then(|| "Importance".to_owned()));
    names.extend(email.headers.iter().map(|(name, _)| name.as_str().to_owned()));
    names.push("MIME-Version".to_owned());
    names
}

/// The names at the head of the message, by nothing but RFC 5322's rule of folding.
fn headers_found(message: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(message).expect("ASCII");
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    let lines = head.split("\r\n").filter(|line| !line.starts_with([' ', '\t']));
    lines
        .map(|line| line.split(':').next().unwrap_or_default().to_owned())
        .filter(|n| !n.starts_with("Content-"))
        .collect()
}

fn pairs(list: Option<&mail_parser::Address<'_>>) -> Vec<(Option<String>, String)> {
    let list = list.into_iter().flat_map(mail_parser::Address::iter);
    list.map(|one| (one.name().map(str::to_owned), one.address().unwrap_or_default().to_owned())).collect()
}

fn wanted(list: &[Address]) -> Vec<(Option<String>, String)> {
    list.iter()
        .map(|one| (one.display_name.as_ref().map(ToString::to_string), one.address.to_string()))
        .collect()
}

fn assert_reads_back(email: &Email, message: &Message<'_>) {
    assert_eq!(message.subject().unwrap_or_default(), email.subject.as_str());
    assert_eq!(message.message_id(), Some(ID.trim_matches(['<', '>'])));
    assert_eq!(pairs(message.to()), wanted(&email.to));
    assert_eq!(pairs(message.cc()), wanted(&email.cc));
    assert_eq!(pairs(message.bcc()), wanted(&email.bcc));
    assert_eq!(pairs(message.reply_to()), wanted(&email.reply_to));
    let lines = |text: &str| text.replace("\r\n", "\n").replace('\r', "\n");
    if let Some(text) = &email.text {
        assert_eq!(message.body_text(0).map(|body| lines(&body)), Some(lines(text)));
    }
    if let Some(html) = &email.html {
        assert_eq!(message.body_html(0).map(|body| lines(&body)), Some(lines(html)));
    }
    let mut found: Vec<_> = message
        .attachments()
        .map(|part| {
            (
                part.attachment_name().map(str::to_owned),
                part.content_id().map(str::to_owned),
                part.contents().to_vec(),
            )
        })
        .collect();
    let text = |text: &HeaderText| text.as_str().to_owned();
    let mut sent: Vec<_> = email
        .attachments
        .iter()
        .map(|file| (Some(text(&file.file_name)), file.content_id.as_ref().map(text), file.content.to_vec()))
        .collect();
    found.sort();
    sent.sort();
    assert_eq!(found, sent);
}

/// Words of a header, such as a name or a subject, with all that needs quoting or encoding.
fn words(max: usize) -> impl Strategy<Value = String> {
    let char = prop_oneof![6 => "[a-zA-Z0-9]", 2 => "[ -~]", 2 => "[äßñ№中文🎉й]", 1 => any::<char>().prop_map(String::from)];
    let text = proptest::collection::vec(char, 0..max).prop_map(|chars| chars.concat());
    text.prop_map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
        .prop_filter("header text", |text| HeaderText::parse(text, 255).is_ok() && !text.contains("=?"))
}

fn addresses(max: usize) -> impl Strategy<Value = Vec<AddressDraft>> {
    let address = ("[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}", "[a-z]{1,20}", words(40))
        .prop_map(|(local, domain, name)| named(&name, &format!("{local}@{domain}.example")));
    proptest::collection::vec(address, 0..max)
}

fn files() -> impl Strategy<Value = Vec<AttachmentDraft>> {
    let name = words(60).prop_map(|name| format!("{}.bin", name.replace(['/', '\\'], "")).trim().to_owned());
    let id = proptest::option::of("[a-z0-9.]{1,30}@x").prop_map(Option::unwrap_or_default);
    let file = (name, proptest::collection::vec(any::<u8>(), 0..300), id).prop_map(
        |(file_name, content, content_id)| AttachmentDraft {
            file_name,
            content_type: "application/x-thing; a=\"b c\"".into(),
            content: content.into(),
            content_id,
        },
    );
    proptest::collection::vec(file, 0..4)
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

fn drafts() -> impl Strategy<Value = EmailDraft> {
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

proptest! {
    #[test]
    fn whatever_is_built_reads_back_the_same(draft in drafts()) {
        let (email, message) = mime(draft);
        assert_well_formed(&message);
        prop_assert_eq!(headers_found(&message), intended_headers(&email));
        let parsed = MessageParser::new().parse(&message).expect("a message");
        assert_reads_back(&email, &parsed);
    }

    #[test]
    fn json_holds_the_same(draft in drafts()) {
        let headers = BTreeMap::from([("x-order".to_owned(), "4711".to_owned())]);
        let (email, payload) = build(EmailDraft { headers, ..draft });
        let json: serde_json::Value = serde_json::from_slice(request(&payload)).expect("JSON");
        let message = &json["message"];
        prop_assert_eq!(&message["subject"], email.subject.as_str());
        prop_assert_eq!(message["toRecipients"].as_array().map(Vec::len), Some(email.to.len()));
        prop_assert_eq!(message["body"]["content"].as_str(), email.html.as_deref().or(email.text.as_deref()));
        prop_assert_eq!(message["internetMessageHeaders"][0]["name"].as_str(), Some("x-order"));
        prop_assert!(json.get("saveToSentItems").is_none());
    }
}
