//! Attachments in JSON: `fileAttachment` with its bytes, and `attachmentItem`, which announces an upload.

use axum::body::Bytes;
use data_encoding::BASE64;
use mail_builder::MessageBuilder;
use mail_builder::mime::MimePart;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::answer::Refusal;
use crate::draft::{File, Item};
use crate::json::{cannot_deserialize, one_line, unreadable};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Attachment {
    #[serde(rename = "@odata.type")]
    kind: Option<String>,
    name: String,
    content_type: Option<String>,
    content_id: Option<String>,
    is_inline: Option<bool>,
    content_bytes: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AttachmentItem {
    attachment_type: String,
    name: String,
    content_type: Option<String>,
    content_id: Option<String>,
    is_inline: Option<bool>,
    size: usize,
}

/// The body of `POST …/attachments`.
pub(crate) fn read_attachment(body: &Bytes) -> Result<File, Refusal> {
    let attachment: Attachment = serde_json::from_slice(body).map_err(|error| wrong(&error))?;
    attachment.read()
}

/// The body of `POST …/createUploadSession`. JavaScript's client writes `AttachmentItem`, Python's `attachmentItem`.
pub(crate) fn read_attachment_item(body: &Bytes) -> Result<Item, Refusal> {
    let posted: Map<String, Value> = serde_json::from_slice(body).map_err(|error| wrong(&error))?;
    let item =
        posted.get("AttachmentItem").or(posted.get("attachmentItem")).ok_or_else(cannot_deserialize)?;
    let item = AttachmentItem::deserialize(item).map_err(|_| cannot_deserialize())?;
    if !item.attachment_type.eq_ignore_ascii_case("file") {
        return Err(not_here(&item.attachment_type));
    }
    Ok(Item {
        name: one_line(&item.name),
        content_type: content_type(item.content_type.as_deref()),
        content_id: content_id(item.content_id.as_deref()),
        is_inline: item.is_inline == Some(true),
        size: item.size,
    })
}

impl Attachment {
    pub(crate) fn read(&self) -> Result<File, Refusal> {
        let kind = self.kind.as_deref().unwrap_or("#microsoft.graph.fileAttachment");
        if kind.trim_start_matches('#') != "microsoft.graph.fileAttachment" {
            return Err(not_here(kind));
        }
        let encoded = self.content_bytes.as_deref().unwrap_or_default();
        let bytes = BASE64.decode(encoded.as_bytes()).map_err(|_| cannot_deserialize())?;
        let item = Item {
            name: one_line(&self.name),
            content_type: content_type(self.content_type.as_deref()),
            content_id: content_id(self.content_id.as_deref()),
            is_inline: self.is_inline == Some(true),
            size: bytes.len(),
        };
        Ok(File::new(item, bytes.into()))
    }

    pub(crate) fn add_to<'x>(&self, mut mail: MessageBuilder<'x>) -> Result<MessageBuilder<'x>, Refusal> {
        let file = self.read()?;
        let (content_type, encoding) = file.form();
        let content_type = content_type.to_owned();
        let File { item, bytes, .. } = file;
        let bytes = bytes.to_vec();
        // What has its encoding named is written as it is.
        let as_it_is =
            |part: MimePart<'x>| if encoding == "7bit" { part.transfer_encoding(encoding) } else { part };
        let part = MimePart::new(content_type, bytes);
        let part = match item.content_id.filter(|_| item.is_inline) {
            Some(id) => part.inline().cid(id),
            None => part.attachment(item.name),
        };
        mail.attachments.get_or_insert_default().push(as_it_is(part));
        Ok(mail)
    }
}

fn wrong(error: &serde_json::Error) -> Refusal {
    if error.is_data() { cannot_deserialize() } else { unreadable() }
}

fn not_here(kind: &str) -> Refusal {
    Refusal::bad_request("BadRequest", format!("Attachments of type '{kind}' are not in this sandbox."))
}

fn content_type(given: Option<&str>) -> String {
    given.filter(|kind| is_media_type(kind)).unwrap_or("application/octet-stream").to_owned()
}

fn content_id(given: Option<&str>) -> Option<String> {
    given.map(|id| one_line(id).trim_matches(['<', '>']).to_owned()).filter(|id| !id.is_empty())
}

fn is_media_type(text: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-+._".contains(&b))
    };
    text.split_once('/').is_some_and(|(kind, subtype)| word(kind) && word(subtype))
}
