//! What the layers of a MIME message hold: texts, files, an invitation.
//!
//! Every part is in base64: Exchange re-encodes what it is given, and has been seen to corrupt quoted-printable. That
//! also makes the boundaries safe, for `=_` does not occur in base64. The one exception is a mail within the mail:
//! RFC 2046 §5.2.1 forbids base64 for it, so that it goes as it is, where it can.

use data_encoding::BASE64_MIME;
use mail_builder::headers::HeaderType;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::raw::Raw;
use mail_builder::mime::{BodyPart, MimePart};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use postrider_domain::{Attachment, Email};

use super::mime::looks_encoded;

/// Characters of a line (RFC 5322 §2.1.1).
const LINE_CHARS_MAX: usize = 998;
const BOUNDARY_CHARS_MAX: usize = 40;

/// A file that is a program's to act on: it stands beside the texts, as another way to read the same mail, or Outlook
/// shows no buttons. The first that says what it asks for (`method`), in a mail that has a text.
pub(super) fn invitation(email: &Email) -> Option<&Attachment> {
    let asks = |file: &&Attachment| {
        let mut parts = file.content_type.as_str().split(';').map(str::trim);
        parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("text/calendar"))
            && parts.any(|part| part.get(..7).is_some_and(|name| name.eq_ignore_ascii_case("method=")))
    };
    email.attachments.iter().find(|file| file.content_id.is_none() && asks(file))
}

/// Inline only where there is HTML that can show it: otherwise no program would.
pub(super) fn is_inline(file: &Attachment, has_html: bool) -> bool {
    has_html && file.content_id.is_some()
}

/// Lines of text end in CRLF (RFC 2045 §6.8), whatever the caller's end in.
pub(super) fn text<'a>(content_type: &'static str, text: &str) -> MimePart<'a> {
    let lines = text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n");
    base64(Raw::new(format!("{content_type}; charset=\"utf-8\"")), lines.as_bytes())
}

pub(super) fn calendar(file: &Attachment, whole: bool) -> MimePart<'_> {
    let content_type = file.content_type.as_str();
    let has_charset = content_type.to_ascii_lowercase().contains("charset=");
    let charset = if has_charset { "" } else { "; charset=\"utf-8\"" };
    let content = if whole { &file.content[..] } else { &[] };
    base64(Raw::new(format!("{content_type}{charset}")), content)
        .header("Content-Disposition", disposition("inline", file))
}

pub(super) fn file<'a>(
    file: &'a Attachment,
    shown: &'a str,
    boundaries: &Boundaries,
    whole: bool,
) -> MimePart<'a> {
    let content = if whole { &file.content[..] } else { &[] };
    let part = match form(file, boundaries) {
        Form::Mail => MimePart::raw(BodyPart::Binary(content.into()))
            .header("Content-Type", Raw::new(file.content_type.as_str()))
            .transfer_encoding("7bit"),
        Form::Bytes(content_type) => base64(Raw::new(content_type), content),
    };
    let part = part.header("Content-Disposition", disposition(shown, file));
    match &file.content_id {
        Some(id) => part.cid(id.as_str()),
        None => part,
    }
}

/// Bytes that the content of a file takes.
pub(super) fn encoded_len(file: &Attachment, boundaries: &Boundaries) -> usize {
    match form(file, boundaries) {
        Form::Mail => file.content.len(),
        Form::Bytes(_) => BASE64_MIME.encode_len(file.content.len()),
    }
}

/// A name that looks encoded goes by RFC 2231, as those do that are not ASCII.
fn disposition<'a>(shown: &'a str, file: &'a Attachment) -> HeaderType<'a> {
    let name = file.file_name.as_str();
    if name.is_ascii() && looks_encoded(name) {
        let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
        return Raw::new(format!("{shown}; filename*=utf-8''{name}")).into();
    }
    ContentType::new(shown).attribute("filename", name).into()
}

enum Form<'a> {
    /// A mail within the mail, as it is.
    Mail,
    /// In base64, under this type.
    Bytes(&'a str),
}

/// What calls itself `multipart/…` would be taken for a layer of the message, and what calls itself a mail and is none
/// would break its reader: both go as plain bytes, under their name. `message/global` may be in base64 (RFC 6532).
fn form<'a>(file: &'a Attachment, boundaries: &Boundaries) -> Form<'a> {
    let content_type = file.content_type.as_str();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.split_once('/') {
        Some(("multipart", _)) => Form::Bytes(Attachment::CONTENT_TYPE_DEFAULT),
        Some(("message", "rfc822")) if is_mail(&file.content, boundaries) => Form::Mail,
        Some(("message", subtype)) if !subtype.starts_with("global") => {
            Form::Bytes(Attachment::CONTENT_TYPE_DEFAULT)
        }
        _ => Form::Bytes(content_type),
    }
}

/// Seven bits, lines that end in CRLF and are no longer than a line may be, a head, and none of our boundaries.
fn is_mail(content: &[u8], boundaries: &Boundaries) -> bool {
    let Ok(text) = std::str::from_utf8(content) else { return false };
    let lines_fit =
        text.split("\r\n").all(|line| line.len() <= LINE_CHARS_MAX && !line.contains(['\r', '\n', '\0']));
    let begins_with_a_header = text
        .split_once(':')
        .is_some_and(|(name, _)| !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic()));
    text.is_ascii() && lines_fit && begins_with_a_header && !text.contains(&boundaries.0)
}

fn base64<'a>(content_type: Raw<'a>, content: &[u8]) -> MimePart<'a> {
    MimePart::raw(BodyPart::Binary(BASE64_MIME.encode(content).into_bytes().into()))
        .header("Content-Type", content_type)
        .transfer_encoding("base64")
}

/// The same for the same message, so that a second attempt sends the same bytes.
pub(super) struct Boundaries(String);

impl Boundaries {
    pub(super) fn of(message_id: &str) -> Self {
        let local = message_id.trim_start_matches('<').split('@').next().unwrap_or_default();
        let local: String =
            local.chars().filter(char::is_ascii_alphanumeric).take(BOUNDARY_CHARS_MAX).collect();
        Self(format!("=_{local}_"))
    }

    pub(super) fn of_layer(&self, layer: &str) -> String {
        format!("{}{layer}", self.0)
    }
}
