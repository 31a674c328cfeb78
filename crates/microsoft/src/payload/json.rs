//! The JSON form: for another `from`, extra `x-` headers, or no copy in Sent Items. Names are Graph's.

use std::borrow::Cow;

use data_encoding::BASE64;
use postrider_domain::{Address, Attachment, Email, HeaderName, HeaderText, Importance, SettingsValues};
use serde_json::{Map, Value, json};

use super::draft::Part;

/// The request of sendMail. Without contents, to learn what the rest takes.
pub(super) fn build(email: &Email, settings: &SettingsValues, with_contents: bool) -> Vec<u8> {
    let mut message = message(email, settings);
    let has_html = email.html.is_some();
    let content = |file: &Attachment| {
        if with_contents { BASE64.encode(&file.content).into() } else { Cow::Borrowed("") }
    };
    if !email.attachments.is_empty() {
        let files =
            email.attachments.iter().map(|file| attachment(&Part::of(file, has_html), &content(file)));
        message.insert("attachments".to_owned(), files.collect());
    }
    let mut request = Map::from_iter([("message".to_owned(), Value::Object(message))]);
    if !email.save_to_sent_items {
        request.insert("saveToSentItems".to_owned(), Value::Bool(false));
    }
    Value::Object(request).to_string().into_bytes()
}

/// A draft, to which the files are still to be added. Of a draft Graph keeps the Message-ID that it is given.
pub(super) fn draft(email: &Email, settings: &SettingsValues, message_id: &str) -> Vec<u8> {
    let mut message = message(email, settings);
    message.insert("internetMessageId".to_owned(), json!(message_id));
    Value::Object(message).to_string().into_bytes()
}

/// Without its files.
fn message(email: &Email, settings: &SettingsValues) -> Map<String, Value> {
    let (content_type, content) = match (&email.html, &email.text) {
        (Some(html), _) => ("HTML", html.as_str()),
        (None, text) => ("Text", text.as_deref().unwrap_or_default()),
    };
    let mut message = Map::new();
    let mut set = |name: &str, value: Value| message.insert(name.to_owned(), value);
    set("subject", json!(email.subject.as_str()));
    set("body", json!({"contentType": content_type, "content": content}));
    let lists = [
        ("toRecipients", &email.to),
        ("ccRecipients", &email.cc),
        ("bccRecipients", &email.bcc),
        ("replyTo", &email.reply_to),
    ];
    for (name, addresses) in lists {
        if !addresses.is_empty() {
            set(name, addresses.iter().map(address).collect());
        }
    }
    if let Some(from) = email.from.as_ref().filter(|from| !settings.mailbox.is_same_mailbox(&from.address)) {
        set("from", address(from));
    }
    match email.importance {
        Importance::Normal => None,
        Importance::Low => set("importance", json!("low")),
        Importance::High => set("importance", json!("high")),
    };
    if !email.headers.is_empty() {
        let header = |(name, value): &(HeaderName, HeaderText)| json!({"name": name.as_str(), "value": value.as_str()});
        set("internetMessageHeaders", email.headers.iter().map(header).collect());
    }
    message
}

fn address(address: &Address) -> Value {
    let mut inner = json!({"address": address.address.as_str()});
    if let Some(name) = &address.display_name {
        inner["name"] = json!(name.as_str());
    }
    json!({"emailAddress": inner})
}

pub(super) fn attachment(file: &Part, content: &str) -> Value {
    let mut attachment = json!({
        "@odata.type": "#microsoft.graph.fileAttachment",
        "name": file.name,
        "contentType": file.content_type,
        "contentBytes": content,
    });
    if let Some(id) = &file.content_id {
        attachment["contentId"] = json!(id);
        attachment["isInline"] = json!(file.is_inline);
    }
    attachment
}
