//! A mail sent as JSON. It is kept as the RFC 5322 message that Exchange would make of it, so that every stored mail
//! can be read in one way. Names are case-sensitive, but for `message` and `saveToSentItems`, which the Python SDK
//! writes with capitals.

use axum::body::Bytes;
use jiff::Timestamp;
use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address;
use mail_builder::headers::text::Text;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::answer::Refusal;
use crate::delivery::Delivery;
use crate::directory::Mailbox;
use crate::file::Attachment;
use crate::limits;
use crate::message::{Mail, new_message_id};

/// The properties of `microsoft.graph.message` that a client may write; those that do not matter for sending are
/// taken and ignored.
const MESSAGE_PROPERTIES: [&str; 30] = [
    "attachments",
    "bccRecipients",
    "body",
    "bodyPreview",
    "categories",
    "ccRecipients",
    "changeKey",
    "conversationId",
    "conversationIndex",
    "createdDateTime",
    "flag",
    "from",
    "hasAttachments",
    "id",
    "importance",
    "inferenceClassification",
    "internetMessageHeaders",
    "internetMessageId",
    "isDeliveryReceiptRequested",
    "isDraft",
    "isRead",
    "isReadReceiptRequested",
    "multiValueExtendedProperties",
    "parentFolderId",
    "replyTo",
    "sender",
    "sentDateTime",
    "singleValueExtendedProperties",
    "subject",
    "toRecipients",
];

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct GraphMessage {
    subject: Option<String>,
    body: Option<ItemBody>,
    to_recipients: Option<Vec<Recipient>>,
    cc_recipients: Option<Vec<Recipient>>,
    bcc_recipients: Option<Vec<Recipient>>,
    reply_to: Option<Vec<Recipient>>,
    from: Option<Recipient>,
    importance: Option<String>,
    internet_message_id: Option<String>,
    internet_message_headers: Option<Vec<CustomHeader>>,
    attachments: Option<Vec<Attachment>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ItemBody {
    content_type: Option<String>,
    content: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recipient {
    email_address: EmailAddress,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct EmailAddress {
    name: Option<String>,
    address: Option<String>,
}

#[derive(Debug, Deserialize)]
struct CustomHeader {
    name: String,
    value: String,
}

/// The body of `sendMail`: the message, and whether a copy is kept in Sent Items.
pub(crate) fn read(body: &Bytes, mailbox: &Mailbox, now: Timestamp) -> Result<Mail, Refusal> {
    let posted: Map<String, Value> = serde_json::from_slice(body).map_err(|_| unreadable())?;
    let message = posted.get("message").or(posted.get("Message")).ok_or_else(cannot_deserialize)?;
    let saved = match posted.get("saveToSentItems").or(posted.get("SaveToSentItems")) {
        None | Some(Value::Null) => true,
        Some(Value::Bool(saved)) => *saved,
        // Microsoft's own examples write it as a string.
        Some(Value::String(saved)) => saved.parse().map_err(|_| cannot_deserialize())?,
        Some(_) => return Err(cannot_deserialize()),
    };
    let mail = mail(&parse(message)?, mailbox, new_message_id(), now)?;
    Ok(Mail { is_saved: saved, ..mail })
}

/// The body of `POST …/messages`. A draft may have a Message-ID of its own.
pub(crate) fn read_draft(body: &Bytes, mailbox: &Mailbox, now: Timestamp) -> Result<Mail, Refusal> {
    let posted: Value = serde_json::from_slice(body).map_err(|_| unreadable())?;
    let message = parse(&posted)?;
    let given = message.internet_message_id.as_deref().map(one_line).filter(|id| !id.is_empty());
    mail(&message, mailbox, given.unwrap_or_else(new_message_id), now)
}

fn mail(message: &GraphMessage, mailbox: &Mailbox, id: String, now: Timestamp) -> Result<Mail, Refusal> {
    check_headers(message.internet_message_headers.as_deref().unwrap_or_default())?;
    let raw = render(message, mailbox, &id, now)?;
    let lists = [&message.to_recipients, &message.cc_recipients, &message.bcc_recipients];
    let content = message.body.as_ref().and_then(|body| body.content.as_ref()).map_or(0, String::len);
    let files = message.attachments.iter().flatten().map(|file| file.read().map_or(0, |file| file.item.size));
    Ok(Mail {
        mailbox: mailbox.address.clone(),
        internet_message_id: id,
        subject: message.subject.clone().unwrap_or_default(),
        recipients: lists.into_iter().flatten().flatten().map(Recipient::address).collect(),
        claimed_from: message.from.as_ref().map(Recipient::address).filter(|from| !from.is_empty()),
        size: files.fold(content, usize::saturating_add),
        raw: raw.into(),
        is_saved: true,
        time: now,
        delivery: Delivery::at(now),
    })
}

fn parse(message: &Value) -> Result<GraphMessage, Refusal> {
    let properties = message.as_object().ok_or_else(cannot_deserialize)?;
    let is_known = |name: &&String| name.contains('@') || MESSAGE_PROPERTIES.contains(&name.as_str());
    if let Some(unknown) = properties.keys().find(|name| !is_known(name)) {
        let message = format!(
            "The property '{unknown}' does not exist on type 'microsoft.graph.message'. Make sure to only use property \
             names that are defined by the type or mark the type as open type."
        );
        return Err(Refusal::bad_request("RequestBodyRead", message));
    }
    GraphMessage::deserialize(message).map_err(|_| cannot_deserialize())
}

pub(crate) fn unreadable() -> Refusal {
    let message = "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of \
                   valid JSON format.";
    Refusal::bad_request("BadRequest", message)
}

pub(crate) fn cannot_deserialize() -> Refusal {
    Refusal::bad_request("UnableToDeserializePostBody", "were unable to deserialize ")
}

fn check_headers(headers: &[CustomHeader]) -> Result<(), Refusal> {
    let is_token = |name: &str| name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
    let bad = headers.iter().find(|header| {
        let prefixed = header.name.get(..2).is_some_and(|prefix| prefix.eq_ignore_ascii_case("x-"));
        !prefixed || !is_token(&header.name)
    });
    if let Some(header) = bad {
        let message =
            format!("The internet message header name '{}' should start with 'x-' or 'X-'.", header.name);
        return Err(Refusal::bad_request("InvalidInternetMessageHeader", message));
    }
    if headers.len() > limits::CUSTOM_HEADERS_MAX {
        let message = "The maximum number of custom internet message headers is 5.";
        return Err(Refusal::bad_request("InvalidInternetMessageHeaderCollection", message));
    }
    Ok(())
}

fn render(message: &GraphMessage, mailbox: &Mailbox, id: &str, now: Timestamp) -> Result<Vec<u8>, Refusal> {
    let from = message.from.as_ref().map(Recipient::to_header);
    let mut mail = MessageBuilder::new()
        .message_id(id.trim_matches(['<', '>']).to_owned())
        .date(now.as_second())
        .from(from.unwrap_or_else(|| Address::new_address(None::<String>, mailbox.address.clone())))
        .subject(one_line(message.subject.as_deref().unwrap_or_default()));
    for (name, list) in [
        ("To", &message.to_recipients),
        ("Cc", &message.cc_recipients),
        ("Bcc", &message.bcc_recipients),
        ("Reply-To", &message.reply_to),
    ] {
        let addresses: Vec<Address<'_>> = list.iter().flatten().map(Recipient::to_header).collect();
        if !addresses.is_empty() {
            mail = mail.header(name, Address::new_list(addresses));
        }
    }
    if let Some(importance) = message.importance.as_deref().filter(|importance| *importance != "normal") {
        mail = mail.header("Importance", Text::new(one_line(importance)));
    }
    for header in message.internet_message_headers.iter().flatten() {
        mail = mail.header(header.name.clone(), Text::new(one_line(&header.value)));
    }
    let body = message.body.as_ref();
    let content = body.and_then(|body| body.content.clone()).unwrap_or_default();
    let is_html = body
        .and_then(|body| body.content_type.as_ref())
        .is_some_and(|kind| kind.eq_ignore_ascii_case("html"));
    mail = if is_html { mail.html_body(content) } else { mail.text_body(content) };
    for attachment in message.attachments.iter().flatten() {
        mail = attachment.add_to(mail)?;
    }
    mail.write_to_vec().map_err(|_| cannot_deserialize())
}

impl Recipient {
    fn address(&self) -> String {
        self.email_address.address.clone().unwrap_or_default()
    }

    fn to_header(&self) -> Address<'static> {
        let name = self.email_address.name.as_deref().map(one_line).filter(|name| !name.is_empty());
        Address::new_address(name, one_line(&self.address()))
    }
}

/// A value that cannot end its header.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}
