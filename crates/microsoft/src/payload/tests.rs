//! What is built reads back as what was asked for, by another's parser, and holds nothing else.

mod properties;
mod second_reader;

use std::collections::BTreeMap;

use mail_parser::{Message, MessageParser, MimeHeaders};
use postrider_domain::{
    Address, AddressDraft, AttachmentDraft, ClientId, Cloud, DirectoryId, EmailDraft, HeaderText, Importance,
    PaceOverride,
};

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
fn a_name_that_looks_encoded_is_not_read_as_what_it_would_say() {
    let name = "=?utf-8?B?aGk=?=";
    let (email, message) = mime(EmailDraft {
        from: Some(named(name, "sales@acme.example")),
        to: vec![named("Ada", "ada@example.net"), named(name, "bob@example.net"), named("", "c@example.net")],
        attachments: vec![file(&format!("{name}.pdf"), "application/pdf", "")],
        ..plain()
    });
    assert_well_formed(&message);
    let text = String::from_utf8(message.clone()).expect("ASCII");
    assert!(!text.contains("aGk="), "{text}");
    assert_reads_back(&email, &MessageParser::new().parse(&message).expect("a message"));
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

fn only(attachment: AttachmentDraft, html: &str) -> String {
    let (_, message) = mime(EmailDraft { attachments: vec![attachment], html: html.into(), ..plain() });
    assert_well_formed(&message);
    String::from_utf8(message).expect("ASCII")
}

#[test]
fn a_mail_within_the_mail_goes_as_it_is_where_it_is_one() {
    let mail = "Subject: within\r\nMIME-Version: 1.0\r\n\r\nHello\r\n";
    let within = |content: &str| AttachmentDraft {
        content: content.as_bytes().to_vec().into(),
        ..file("a.eml", "message/rfc822", "")
    };
    let text = only(within(mail), "");
    assert!(text.contains("Content-Type: message/rfc822\r\n") && text.contains(mail), "{text}");
    assert!(text.contains("Content-Transfer-Encoding: 7bit\r\n"), "{text}");
    let long = format!("Subject: a\r\n\r\n{}\r\n", "x".repeat(999));
    let own_boundary = format!("Subject: a\r\n\r\n--=_{}_m\r\n", "0192f0c12b3d7e4f800000000000000a");
    for none in
        ["Subject: a\n\nbare line breaks\n", "Subject: \u{e4}\r\n\r\n", "no header", "", &long, &own_boundary]
    {
        let text = only(within(none), "");
        assert!(!text.contains("message/rfc822"), "{none:?}: {text}");
        let read = MessageParser::new().parse(text.as_bytes()).expect("a message");
        assert_eq!(read.attachment(0).expect("the file").contents(), none.as_bytes());
    }
}

#[test]
fn an_invitation_stands_beside_the_text_and_other_calendars_are_files() {
    let invitation = file("invite.ics", "text/calendar; method=REQUEST", "");
    let text = only(invitation, "<p>Hi</p>");
    let read = MessageParser::new().parse(text.as_bytes()).expect("a message");
    let root = read.root_part();
    assert!(root.is_content_type("multipart", "alternative"), "{text}");
    assert_eq!(root.sub_parts().map(<[_]>::len), Some(3));
    assert!(text.contains("Content-Type: text/calendar; method=REQUEST; charset=\"utf-8\"\r\n"), "{text}");
    let text = only(file("feed.ics", "text/calendar", ""), "");
    let read = MessageParser::new().parse(text.as_bytes()).expect("a message");
    assert!(read.root_part().is_content_type("multipart", "mixed"), "{text}");
}

#[test]
fn an_image_without_html_to_show_it_is_a_file() {
    let text = only(file("logo.png", "image/png", "logo1"), "");
    assert!(
        text.contains("Content-Disposition: attachment") && !text.contains("multipart/related"),
        "{text}"
    );
    let text = only(file("logo.png", "image/png", "logo1"), "<img src=\"cid:logo1\">");
    assert!(text.contains("Content-Disposition: inline") && text.contains("Content-ID: <logo1>"), "{text}");
}

/// The largest that fits, and the smallest that does not: Graph's four megabytes, base64 twice.
#[test]
fn what_one_request_carries_goes_in_one_and_what_it_does_not_as_a_draft() {
    let of = |bytes: usize| {
        let content = vec![7; bytes].into();
        EmailDraft { attachments: vec![AttachmentDraft { content, ..file("a.bin", "", "") }], ..plain() }
    };
    let fits = |bytes: usize| {
        let email = Email::parse(of(bytes), "email").expect("an email");
        Payload::fit(&email, &settings()) == Fit::Request
    };
    let (mut low, mut high) = (0, limits::GRAPH_REQUEST_BYTES_MAX);
    while high - low > 1 {
        let middle = usize::midpoint(low, high);
        if fits(middle) { low = middle } else { high = middle }
    }
    assert!((2_100_000..2_400_000).contains(&low), "{low}");
    let (_, payload) = build(of(low));
    assert!(request(&payload).len() <= limits::GRAPH_REQUEST_BYTES_MAX);
    assert!(limits::GRAPH_REQUEST_BYTES_MAX - request(&payload).len() < 8, "no room is wasted");
    assert!(matches!(build(of(high)).1.shape, Shape::Draft(_)));
}

#[test]
fn texts_that_no_draft_can_carry_are_too_large() {
    let text = "x".repeat(limits::GRAPH_REQUEST_BYTES_MAX);
    let email = Email::parse(EmailDraft { text, ..plain() }, "email").expect("an email");
    assert!(matches!(Payload::fit(&email, &settings()), Fit::TooLarge(bytes) if bytes > 4_000_000));
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
