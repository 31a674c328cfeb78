//! The MIME form: the whole message, with our own Message-ID. Its headers and layers; `part.rs` has what they hold.
//!
//! Header values are [`HeaderText`], which holds no line break, so that no value can become a header.

use data_encoding::BASE64;
use jiff::Timestamp;
use mail_builder::MessageBuilder;
use mail_builder::headers::HeaderType;
use mail_builder::headers::address::Address as AddressHeader;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::date::Date;
use mail_builder::headers::raw::Raw;
use mail_builder::headers::text::Text;
use mail_builder::mime::MimePart;
use postrider_domain::{Address, Email, HeaderText, Importance, SettingsValues};

use super::part::{self, Boundaries};

/// Characters of a value without a blank to fold at: a line holds 998 with the header's name.
const RUN_CHARS_MAX: usize = 900;
/// Bytes of text in one encoded word: 45 are 60 in base64, of the 75 characters that it may have.
const WORD_BYTES_MAX: usize = 45;

/// How much of a message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Whole,
    /// Each file's headers, but not its content: to learn what the rest takes.
    WithoutContents,
    /// No files at all: they are added to a draft one by one.
    WithoutFiles,
}

pub(super) fn build(
    email: &Email,
    settings: &SettingsValues,
    message_id: &str,
    date: Timestamp,
    extent: Extent,
) -> Vec<u8> {
    let own = Address { address: settings.mailbox.clone(), display_name: email.from_name.clone() };
    let from = std::slice::from_ref(email.from.as_ref().unwrap_or(&own));
    let mut builder = MessageBuilder::new();
    for (name, addresses) in [
        ("From", from),
        ("To", &email.to),
        ("Cc", &email.cc),
        ("Bcc", &email.bcc),
        ("Reply-To", &email.reply_to),
    ] {
        if !addresses.is_empty() {
            builder = builder.header(name, list(addresses));
        }
    }
    let id = message_id.trim_start_matches('<').trim_end_matches('>');
    builder =
        builder.header("Subject", subject(&email.subject)).date(Date::new(date.as_second())).message_id(id);
    match email.importance {
        Importance::Normal => {}
        Importance::Low => builder = builder.header("Importance", Raw::new("low")),
        Importance::High => builder = builder.header("Importance", Raw::new("high")),
    }
    for (name, value) in &email.headers {
        builder = builder.header(name.as_str(), extra(value));
    }
    let mut message = Vec::new();
    builder.body(content(email, &Boundaries::of(id), extent)).serialize(&mut message);
    message
}

fn name(address: &Address) -> Option<&str> {
    address.display_name.as_ref().map(HeaderText::as_str)
}

/// A name that looks encoded is encoded, with those beside it: many readers decode it within quotes too.
fn list(addresses: &[Address]) -> HeaderType<'_> {
    if addresses.iter().filter_map(name).any(looks_encoded) {
        let one = |address: &Address| match name(address) {
            Some(name) => format!("{} <{}>", encoded_words(name), address.address),
            None => format!("<{}>", address.address),
        };
        return Raw::new(addresses.iter().map(one).collect::<Vec<_>>().join(", ")).into();
    }
    let one = |address| AddressHeader::new_address(name(address), address.address.as_str());
    AddressHeader::new_list(addresses.iter().map(one).collect()).into()
}

/// Whether a reader might decode it.
pub(super) fn looks_encoded(text: &str) -> bool {
    text.contains("=?")
}

/// Encoded also where it looks encoded or begins with a blank: what is read is what was written.
fn subject(subject: &HeaderText) -> HeaderType<'_> {
    let subject = subject.as_str();
    if looks_encoded(subject) || subject.starts_with(' ') {
        Raw::new(encoded_words(subject)).into()
    } else {
        Text::new(subject).into()
    }
}

/// As it is, because these are read by machines; encoded only where it could not be a line of a mail at all.
fn extra(value: &HeaderText) -> HeaderType<'_> {
    let value = value.as_str();
    if value.is_ascii() && value.split(' ').all(|run| run.len() <= RUN_CHARS_MAX) {
        Raw::new(value).into()
    } else {
        Raw::new(encoded_words(value)).into()
    }
}

/// RFC 2047, whole characters in each word.
fn encoded_words(text: &str) -> String {
    let mut words = Vec::new();
    let mut word = String::new();
    for char in text.chars() {
        if word.len() + char.len_utf8() > WORD_BYTES_MAX {
            words.push(std::mem::take(&mut word));
        }
        word.push(char);
    }
    words.push(word);
    let encoded = words.iter().map(|word| format!("=?utf-8?B?{}?=", BASE64.encode(word.as_bytes())));
    encoded.collect::<Vec<_>>().join(" ")
}

/// mixed( alternative( text, related( html, inline images ), invitation ), attachments ), without the layers that hold
/// one part.
fn content<'a>(email: &'a Email, boundaries: &Boundaries, extent: Extent) -> MimePart<'a> {
    let invitation = part::invitation(email);
    let files = email.attachments.iter().filter(|file| Some(*file) != invitation);
    let files = files.filter(|_| extent != Extent::WithoutFiles);
    let (inline, attached): (Vec<_>, Vec<_>) =
        files.partition(|file| part::is_inline(file, email.html.is_some()));
    let whole = extent != Extent::WithoutContents;
    let html = email.html.as_deref().map(|html| {
        let mut parts = vec![part::text("text/html", html)];
        parts.extend(inline.into_iter().map(|file| part::file(file, "inline", boundaries, whole)));
        multipart(
            ContentType::new("multipart/related").attribute("type", "text/html"),
            parts,
            boundaries,
            "r",
        )
    });
    let text = email.text.as_deref().map(|plain| part::text("text/plain", plain));
    let invitation = invitation.map(|file| part::calendar(file, whole));
    let bodies = text.into_iter().chain(html).chain(invitation).collect();
    let mut parts = vec![multipart(ContentType::new("multipart/alternative"), bodies, boundaries, "a")];
    parts.extend(attached.into_iter().map(|file| part::file(file, "attachment", boundaries, whole)));
    multipart(ContentType::new("multipart/mixed"), parts, boundaries, "m")
}

/// One part alone needs no layer.
fn multipart<'a>(
    content_type: ContentType<'a>,
    mut parts: Vec<MimePart<'a>>,
    boundaries: &Boundaries,
    layer: &str,
) -> MimePart<'a> {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            MimePart::new(content_type.attribute("boundary", boundaries.of_layer(layer)), parts)
        }
    }
}
