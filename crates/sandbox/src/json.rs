//! A mail sent as JSON. It is kept as the RFC 5322 message that Exchange would make of it, so that every stored mail
//! can be read in one way. Names are case-sensitive, but for `message` and `saveToSentItems`, which the Python SDK
//! writes with capitals.

use axum::body::Bytes;
use data_encoding::BASE64;
use jiff::Timestamp;
use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address;
use mail_builder::headers::text::Text;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::answer::Refusal;
use crate::directory::Mailbox;
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

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attachment {
    #[serde(rename = "@odata.type")]
    kind: String,
    name: String,
    content_type: Option<String>,
    content_id: Option<String>,
    is_inline: Option<bool>,
    content_bytes: Option<String>,
}

pub(crate) fn read(body: &Bytes, mailbox: &Mailbox, now: Timestamp) -> Result<Mail, Refusal> {
    let message = parse(body)?;
    let headers = message.internet_message_headers.as_deref().unwrap_or_default();
    check_headers(headers)?;
    let internet_message_id = new_message_id();
    let raw = render(&message, mailbox, &internet_message_id, now)?;
    let lists = [&message.to_recipients, &message.cc_recipients, &message.bcc_recipients];
    let recipients = lists.into_iter().flatten().flatten().map(Recipient::address).collect();
    Ok(Mail {
        mailbox: mailbox.address.clone(),
        internet_message_id,
        subject: message.subject.unwrap_or_default(),
        recipients,
        claimed_from: message.from.as_ref().map(Recipient::address).filter(|from| !from.is_empty()),
        raw: raw.into(),
        time: now,
    })
}

fn parse(body: &Bytes) -> Result<GraphMessage, Refusal> {
    let posted: Map<String, Value> = serde_json::from_slice(body).map_err(|_| {
        let message = "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of \
                       valid JSON format.";
        Refusal::bad_request("BadRequest", message)
    })?;
    let message = posted.get("message").or(posted.get("Message")).ok_or_else(cannot_deserialize)?;
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

fn cannot_deserialize() -> Refusal {
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

impl Attachment {
    fn add_to<'x>(&self, mail: MessageBuilder<'x>) -> Result<MessageBuilder<'x>, Refusal> {
        if self.kind.trim_start_matches('#') != "microsoft.graph.fileAttachment" {
            return Err(Refusal::bad_request(
                "BadRequest",
                format!("'{}' is not yet in this sandbox.", self.kind),
            ));
        }
        let encoded = self.content_bytes.as_deref().unwrap_or_default();
        let bytes = BASE64.decode(encoded.as_bytes()).map_err(|_| cannot_deserialize())?;
        let content_type = self.content_type.as_deref().filter(|kind| is_media_type(kind));
        let content_type = content_type.unwrap_or("application/octet-stream").to_owned();
        let content_id = self.content_id.as_deref().map(one_line).filter(|id| !id.is_empty());
        Ok(match content_id.filter(|_| self.is_inline == Some(true)) {
            Some(id) => mail.inline(content_type, id.trim_matches(['<', '>']).to_owned(), bytes),
            None => mail.attachment(content_type, one_line(&self.name), bytes),
        })
    }
}

fn is_media_type(text: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-+._".contains(&b))
    };
    text.split_once('/').is_some_and(|(kind, subtype)| word(kind) && word(subtype))
}

/// A value that cannot end its header.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}
