//! What a caller asks to be sent. The only way in is [`Email::parse`], which reports every field at once.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::media_type::is_media_type;
use crate::violation::Violations;
use crate::{Address, EmailAddress, HeaderName, HeaderText, SettingsValues, limits};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Importance {
    Low,
    #[default]
    Normal,
    High,
}

/// An address as a caller gave it.
#[derive(Debug, Clone, Default)]
pub struct AddressDraft {
    pub address: String,
    pub display_name: String,
}

#[derive(Debug, Clone, Default)]
pub struct AttachmentDraft {
    pub file_name: String,
    pub content_type: String,
    pub content: Bytes,
    pub content_id: String,
}

/// An email as a caller gave it, not yet looked at.
#[derive(Debug, Clone, Default)]
pub struct EmailDraft {
    pub from: Option<AddressDraft>,
    pub to: Vec<AddressDraft>,
    pub cc: Vec<AddressDraft>,
    pub bcc: Vec<AddressDraft>,
    pub reply_to: Vec<AddressDraft>,
    pub subject: String,
    pub text: String,
    pub html: String,
    pub attachments: Vec<AttachmentDraft>,
    pub headers: BTreeMap<String, String>,
    pub importance: Importance,
    pub save_to_sent_items: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    pub file_name: HeaderText,
    /// `type/subtype`, perhaps with parameters.
    pub content_type: HeaderText,
    /// Shared with the request or the stored content that it came in.
    pub content: Bytes,
    /// Without `< >`; there for an inline image.
    pub content_id: Option<HeaderText>,
}

impl Attachment {
    /// Where none is given: bytes of no known type.
    pub const CONTENT_TYPE_DEFAULT: &str = "application/octet-stream";
}

/// An email that may be sent: every address, header and size has been looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    /// Absent: the settings' mailbox.
    pub from: Option<Address>,
    /// The name shown beside the sender, with or without an address.
    pub from_name: Option<HeaderText>,
    pub to: Vec<Address>,
    pub cc: Vec<Address>,
    pub bcc: Vec<Address>,
    pub reply_to: Vec<Address>,
    pub subject: HeaderText,
    pub text: Option<String>,
    pub html: Option<String>,
    pub attachments: Vec<Attachment>,
    pub headers: Vec<(HeaderName, HeaderText)>,
    pub importance: Importance,
    pub save_to_sent_items: bool,
}

/// How the email is given to Graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadForm {
    /// With our own Message-ID.
    Mime,
    /// Where it must be: another `from`, extra `x-` headers, or no copy in Sent Items.
    Json,
}

impl Email {
    /// `field` is the path of the email in the request, such as `email`.
    pub fn parse(draft: EmailDraft, field: &str) -> Result<Self, Violations> {
        let mut violations = Violations::default();
        let v = &mut violations;
        let from = draft.from.unwrap_or_default();
        let from_name = parse_display_name(&from.display_name, &format!("{field}.from"), v);
        let from = Some(from).filter(|from| !from.address.is_empty());
        let from = from.and_then(|from| {
            let address = v.check(format!("{field}.from.address"), EmailAddress::parse(&from.address))?;
            Some(Address { address, display_name: from_name.clone() })
        });
        let to = parse_addresses(&draft.to, &format!("{field}.to"), v);
        let cc = parse_addresses(&draft.cc, &format!("{field}.cc"), v);
        let bcc = parse_addresses(&draft.bcc, &format!("{field}.bcc"), v);
        let reply_to = parse_addresses(&draft.reply_to, &format!("{field}.reply_to"), v);
        let subject =
            v.check(format!("{field}.subject"), HeaderText::parse(&draft.subject, limits::SUBJECT_CHARS_MAX));
        if draft.text.is_empty() && draft.html.is_empty() {
            v.push(format!("{field}.text"), "a body is required: text, html or both");
        }
        let attachments = parse_attachments(draft.attachments, &format!("{field}.attachments"), v);
        let headers = parse_headers(&draft.headers, &format!("{field}.headers"), v);
        let email = subject.map(|subject| Self {
            from,
            from_name,
            to: to.unwrap_or_default(),
            cc: cc.unwrap_or_default(),
            bcc: bcc.unwrap_or_default(),
            reply_to: reply_to.unwrap_or_default(),
            subject,
            text: Some(draft.text).filter(|text| !text.is_empty()),
            html: Some(draft.html).filter(|html| !html.is_empty()),
            attachments,
            headers,
            importance: draft.importance,
            save_to_sent_items: draft.save_to_sent_items,
        });
        if let Some(email) = &email {
            email.check_counts(field, violations.is_empty(), &mut violations);
        }
        violations.into_result(email)
    }

    fn check_counts(&self, field: &str, all_parsed: bool, violations: &mut Violations) {
        let recipients = self.recipient_count();
        if recipients == 0 && all_parsed {
            violations.push(format!("{field}.to"), "one recipient is required, in to, cc or bcc");
        }
        if recipients > limits::RECIPIENTS_MAX {
            let most = limits::RECIPIENTS_MAX;
            violations.push(
                format!("{field}.to"),
                format!("{recipients} recipients over to, cc and bcc; at most {most}"),
            );
        }
        if self.reply_to.len() > limits::REPLY_TO_MAX {
            violations.push(
                format!("{field}.reply_to"),
                format!("must have at most {} entries", limits::REPLY_TO_MAX),
            );
        }
    }

    /// What can only be told with the settings: who it is from, and whether its headers fit its form.
    pub fn check_against(&self, settings: &SettingsValues, field: &str) -> Result<(), Violations> {
        let mut violations = Violations::default();
        if let Some(from) = &self.from
            && !settings.may_send_as(&from.address)
        {
            violations.push(
                format!("{field}.from.address"),
                "must be the settings' sender_mailbox or one of its send_as, or be left out",
            );
        }
        if self.form(settings) == PayloadForm::Json {
            if self.headers.iter().any(|(name, _)| !name.is_extension()) {
                violations.push(
                    format!("{field}.headers"),
                    "this mail must go to Graph as JSON (another from, an x- header, or no copy in Sent Items), \
                     which takes x- headers only",
                );
            }
            if self.headers.len() > limits::HEADERS_JSON_MAX {
                violations.push(
                    format!("{field}.headers"),
                    format!("Graph takes at most {} x- headers", limits::HEADERS_JSON_MAX),
                );
            }
        }
        if violations.is_empty() { Ok(()) } else { Err(violations) }
    }

    pub fn form(&self, settings: &SettingsValues) -> PayloadForm {
        let other_from =
            self.from.as_ref().is_some_and(|from| !settings.mailbox.is_same_mailbox(&from.address));
        let extended = self.headers.iter().any(|(name, _)| name.is_extension());
        if other_from || extended || !self.save_to_sent_items { PayloadForm::Json } else { PayloadForm::Mime }
    }

    /// Over to, cc and bcc.
    pub fn recipient_count(&self) -> usize {
        self.to.len() + self.cc.len() + self.bcc.len()
    }
}

fn parse_address(draft: &AddressDraft, field: &str, violations: &mut Violations) -> Option<Address> {
    let address = violations.check(format!("{field}.address"), EmailAddress::parse(&draft.address));
    let display_name = parse_display_name(&draft.display_name, field, violations);
    address.map(|address| Address { address, display_name })
}

/// `None`: there is none, or it is wrong. `field` is the path of its address.
fn parse_display_name(name: &str, field: &str, violations: &mut Violations) -> Option<HeaderText> {
    let name = HeaderText::parse(name, limits::DISPLAY_NAME_CHARS_MAX);
    violations.check(format!("{field}.display_name"), name).filter(|name| !name.as_str().is_empty())
}

/// `None` if any was wrong. At most one more than the limit is looked at, so that a flood costs nothing.
fn parse_addresses(
    drafts: &[AddressDraft],
    field: &str,
    violations: &mut Violations,
) -> Option<Vec<Address>> {
    let looked_at = drafts.iter().take(limits::RECIPIENTS_MAX + 1).enumerate();
    let parsed: Vec<_> =
        looked_at.map(|(i, draft)| parse_address(draft, &format!("{field}[{i}]"), violations)).collect();
    parsed.into_iter().collect()
}

fn parse_attachments(
    drafts: Vec<AttachmentDraft>,
    field: &str,
    violations: &mut Violations,
) -> Vec<Attachment> {
    if drafts.len() > limits::ATTACHMENTS_MAX {
        violations.push(field, format!("must have at most {} entries", limits::ATTACHMENTS_MAX));
    }
    let looked_at = drafts.into_iter().take(limits::ATTACHMENTS_MAX).enumerate();
    let mut parsed: Vec<Attachment> = Vec::new();
    for (i, draft) in looked_at {
        let path = format!("{field}[{i}]");
        let Some(attachment) = parse_attachment(draft, &path, violations) else { continue };
        if attachment.content_id.is_some()
            && parsed.iter().any(|other| other.content_id == attachment.content_id)
        {
            violations.push(format!("{path}.content_id"), "is given twice");
        }
        parsed.push(attachment);
    }
    parsed
}

fn parse_attachment(draft: AttachmentDraft, field: &str, violations: &mut Violations) -> Option<Attachment> {
    let file_name = violations.check(format!("{field}.file_name"), parse_file_name(&draft.file_name));
    let content_type =
        violations.check(format!("{field}.content_type"), parse_content_type(&draft.content_type));
    let content_id = violations.check(format!("{field}.content_id"), parse_content_id(&draft.content_id));
    let content = draft.content;
    file_name.zip(content_type).zip(content_id).map(|((file_name, content_type), content_id)| Attachment {
        file_name,
        content_type,
        content,
        content_id,
    })
}

fn parse_file_name(name: &str) -> Result<HeaderText, String> {
    if name.is_empty() {
        return Err("is required".to_owned());
    }
    if name.contains(['/', '\\']) || matches!(name, "." | "..") {
        return Err("must be a file's name without a path".to_owned());
    }
    HeaderText::parse(name, limits::FILE_NAME_CHARS_MAX).map_err(|error| error.to_string())
}

fn parse_content_type(text: &str) -> Result<HeaderText, String> {
    let text = if text.is_empty() { Attachment::CONTENT_TYPE_DEFAULT } else { text };
    if !is_media_type(text) {
        return Err("must be a media type such as application/pdf".to_owned());
    }
    HeaderText::parse(text, limits::CONTENT_TYPE_CHARS_MAX).map_err(|error| error.to_string())
}

fn parse_content_id(text: &str) -> Result<Option<HeaderText>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    if !text.bytes().all(|b| b.is_ascii_graphic() && !b"<>\"\\".contains(&b)) {
        return Err("must be visible ASCII without < >, as in cid:logo".to_owned());
    }
    HeaderText::parse(text, limits::CONTENT_ID_CHARS_MAX).map(Some).map_err(|error| error.to_string())
}

fn parse_headers(
    headers: &BTreeMap<String, String>,
    field: &str,
    violations: &mut Violations,
) -> Vec<(HeaderName, HeaderText)> {
    if headers.len() > limits::HEADERS_MAX {
        violations.push(field, format!("must have at most {} entries", limits::HEADERS_MAX));
    }
    let mut parsed: Vec<(HeaderName, HeaderText)> = Vec::new();
    for (name, value) in headers.iter().take(limits::HEADERS_MAX) {
        // A hostile name is not repeated in the path.
        let shown: String = name.chars().filter(char::is_ascii_graphic).take(76).collect();
        let path = format!("{field}[\"{shown}\"]");
        let name = violations.check(&*path, HeaderName::parse(name));
        let value = violations.check(&*path, HeaderText::parse(value, limits::HEADER_VALUE_BYTES_MAX));
        let Some((name, value)) = name.zip(value) else { continue };
        if parsed.iter().any(|(other, _)| other.as_str().eq_ignore_ascii_case(name.as_str())) {
            violations.push(path, "is given twice, in different case");
        } else {
            parsed.push((name, value));
        }
    }
    parsed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(address: &str) -> AddressDraft {
        AddressDraft { address: address.into(), display_name: String::new() }
    }

    fn draft() -> EmailDraft {
        EmailDraft {
            to: vec![to("ada@example.net")],
            text: "Hello".into(),
            save_to_sent_items: true,
            ..EmailDraft::default()
        }
    }

    fn wrong_fields(draft: EmailDraft) -> Vec<String> {
        let violations = Email::parse(draft, "email").expect_err("something wrong");
        violations.iter().map(|v| v.field.clone()).collect()
    }

    #[test]
    fn a_plain_mail_is_taken() {
        assert!(Email::parse(draft(), "email").is_ok());
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let mail = EmailDraft {
            to: vec![to("ada@example.net"), to("nobody")],
            cc: vec![AddressDraft {
                address: "b@example.net".into(),
                display_name: "B\r\nBcc: x@y.example".into(),
            }],
            subject: "Hi\r\nX: y".into(),
            text: String::new(),
            headers: BTreeMap::from([("Bcc".into(), "x@y.example".into()), ("x-a".into(), "1\n2".into())]),
            attachments: vec![AttachmentDraft {
                file_name: "../a".into(),
                content_type: "pdf".into(),
                ..AttachmentDraft::default()
            }],
            ..draft()
        };
        assert_eq!(
            wrong_fields(mail),
            [
                "email.to[1].address",
                "email.cc[0].display_name",
                "email.subject",
                "email.text",
                "email.attachments[0].file_name",
                "email.attachments[0].content_type",
                "email.headers[\"Bcc\"]",
                "email.headers[\"x-a\"]",
            ]
        );
    }

    #[test]
    fn a_senders_name_is_kept_without_an_address_and_looked_at_all_the_same() {
        let named = |name: &str| Some(AddressDraft { address: String::new(), display_name: name.into() });
        let email = Email::parse(EmailDraft { from: named("Ada"), ..draft() }, "email").expect("fine");
        assert_eq!(
            (email.from, email.from_name.map(|name| name.to_string())),
            (None, Some("Ada".to_owned()))
        );
        assert_eq!(
            wrong_fields(EmailDraft { from: named("A\r\nX: y"), ..draft() }),
            ["email.from.display_name"]
        );
    }

    #[test]
    fn a_content_id_is_given_once_in_a_mail() {
        let inline = |content_id: &str| AttachmentDraft {
            file_name: "logo.png".into(),
            content_id: content_id.into(),
            ..AttachmentDraft::default()
        };
        let mail = |ids: [&str; 4]| EmailDraft { attachments: ids.map(inline).into(), ..draft() };
        assert!(Email::parse(mail(["a", "b", "", ""]), "email").is_ok());
        assert_eq!(
            wrong_fields(mail(["a", "", "a", "a"])),
            ["email.attachments[2].content_id", "email.attachments[3].content_id"]
        );
    }

    #[test]
    fn nobody_and_too_many_are_refused() {
        assert_eq!(wrong_fields(EmailDraft { to: vec![], ..draft() }), ["email.to"]);
        let crowd = |n: usize| (0..n).map(|i| to(&format!("r{i}@example.net"))).collect::<Vec<_>>();
        assert_eq!(wrong_fields(EmailDraft { to: crowd(501), ..draft() }), ["email.to"]);
        assert_eq!(wrong_fields(EmailDraft { to: crowd(250), bcc: crowd(251), ..draft() }), ["email.to"]);
        assert!(Email::parse(EmailDraft { to: crowd(500), ..draft() }, "email").is_ok());
    }
}
