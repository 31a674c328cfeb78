//! Messages and files as Graph shows them.

use jiff::Timestamp;
use mail_parser::{Address, Message, MessageParser};
use serde_json::{Map, Value, json};

use crate::delivery::Bounce;
use crate::draft::{Draft, File};
use crate::message::{Mail, Stored};

const PREVIEW_CHARS: usize = 255;

pub(super) fn of_draft(draft: &Draft) -> Value {
    let mail = draft.assembled(draft.mail.time);
    message(&draft.id, &mail, "drafts")
}

/// The copy in Sent Items.
pub(super) fn of_sent(stored: &Stored) -> Value {
    message(&sent_id(stored), &stored.mail, "sentitems")
}

pub(super) fn sent_id(stored: &Stored) -> String {
    format!("AAMkAGsent{:012}", stored.number)
}

/// The non-delivery report in the sender's Inbox.
pub(super) fn of_report(stored: &Stored, bounce: &Bounce) -> Value {
    let mail = &stored.mail;
    let content = format!(
        "Delivery has failed to these recipients: {}. Remote server returned '550 {} {}'. Original message: {}.",
        bounce.recipients.join(", "),
        bounce.status,
        bounce.text,
        mail.internet_message_id
    );
    let postmaster = json!({"emailAddress": {
        "name": "Microsoft Outlook",
        "address": "MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@sandbox.example",
    }});
    let preview: String = content.chars().take(PREVIEW_CHARS).collect();
    json!({
        "id": format!("AAMkAGreport{:012}", stored.number),
        "createdDateTime": time(mail.delivery.time),
        "receivedDateTime": time(mail.delivery.time),
        "sentDateTime": time(mail.delivery.time),
        "hasAttachments": false,
        "internetMessageId": format!("<report-{}@sandbox.prod.outlook.example>", stored.number),
        "subject": format!("Undeliverable: {}", mail.subject),
        "bodyPreview": preview,
        "parentFolderId": "inbox",
        "isDraft": false,
        "isRead": false,
        "body": {"contentType": "text", "content": content},
        "sender": postmaster,
        "from": postmaster,
        "toRecipients": [{"emailAddress": {"address": mail.mailbox}}],
        "ccRecipients": [],
        "bccRecipients": [],
        "replyTo": [],
    })
}

pub(super) fn of_file(file: &File) -> Value {
    let item = &file.item;
    json!({
        "@odata.type": "#microsoft.graph.fileAttachment",
        "@odata.mediaContentType": item.content_type,
        "id": file.id,
        "name": item.name,
        "contentType": item.content_type,
        "contentId": item.content_id,
        "isInline": item.is_inline,
        "size": item.size,
    })
}

/// Only the properties that `$select` names.
pub(super) fn selected(value: Value, select: Option<&str>) -> Value {
    let (Some(select), Value::Object(all)) = (select, &value) else { return value };
    let wanted: Vec<&str> = select.split(',').map(str::trim).collect();
    let is_wanted = |name: &str| name == "id" || wanted.contains(&name);
    let kept: Map<String, Value> = all.clone().into_iter().filter(|(name, _)| is_wanted(name)).collect();
    Value::Object(kept)
}

fn message(id: &str, mail: &Mail, folder: &str) -> Value {
    let parsed = MessageParser::default().parse(&mail.raw).unwrap_or_default();
    let html = parsed.html_part(0).filter(|part| part.is_text_html()).and_then(|_| parsed.body_html(0));
    let (kind, content) = match html {
        Some(html) => ("html", html.into_owned()),
        None => ("text", parsed.body_text(0).unwrap_or_default().into_owned()),
    };
    let text = parsed.body_text(0).unwrap_or_default();
    let preview: String = text.chars().take(PREVIEW_CHARS).collect();
    let from = json!({"emailAddress": {"address": mail.claimed_from.as_ref().unwrap_or(&mail.mailbox)}});
    json!({
        "id": id,
        "createdDateTime": time(mail.time),
        "receivedDateTime": time(mail.time),
        "sentDateTime": time(mail.time),
        "hasAttachments": parsed.attachment_count() > 0,
        "internetMessageId": mail.internet_message_id,
        "subject": mail.subject,
        "bodyPreview": preview,
        "importance": "normal",
        "parentFolderId": folder,
        "isDraft": folder == "drafts",
        "isRead": true,
        "body": {"contentType": kind, "content": content},
        "sender": {"emailAddress": {"address": mail.mailbox}},
        "from": from,
        "toRecipients": recipients(parsed.to()),
        "ccRecipients": recipients(parsed.cc()),
        "bccRecipients": recipients(parsed.bcc()),
        "replyTo": recipients(parsed.reply_to()),
        "internetMessageHeaders": headers(&parsed, &mail.raw),
    })
}

fn recipients(addresses: Option<&Address<'_>>) -> Value {
    let one = |addr: &mail_parser::Addr<'_>| json!({"emailAddress": {"name": addr.name().or(addr.address()), "address": addr.address()}});
    addresses.into_iter().flat_map(Address::iter).map(one).collect()
}

fn headers(parsed: &Message<'_>, raw: &[u8]) -> Value {
    let own = parsed.headers().iter().filter(|header| header.name().to_ascii_lowercase().starts_with("x-"));
    own.map(|header| {
        let (start, end) = (header.offset_start() as usize, header.offset_end() as usize);
        let value = String::from_utf8_lossy(raw.get(start..end).unwrap_or_default());
        json!({"name": header.name(), "value": value.trim()})
    })
    .collect()
}

fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
