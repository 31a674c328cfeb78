//! A mail that one request cannot carry: a draft, and the files that are added to it one by one.

use bytes::Bytes;
use data_encoding::BASE64;
use postrider_domain::{Attachment, limits};

use super::{json, part};

/// Bytes of a file's name, type and id in JSON, each of 255 characters at most.
const REST_BYTES_MAX: usize = 8 * 1024;

/// What is sent piece by piece.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Draft {
    /// The body of the request that makes the draft, without the files.
    pub create: Bytes,
    pub files: Vec<Part>,
    /// Ours, with its `< >`: by it a draft that was left behind is found again.
    pub message_id: String,
}

/// A file of a draft. Its content is shared with the email's.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub name: String,
    pub content_type: String,
    pub content: Bytes,
    pub content_id: Option<String>,
    pub is_inline: bool,
}

impl Part {
    pub(super) fn of(file: &Attachment, has_html: bool) -> Self {
        Self {
            name: file.file_name.to_string(),
            content_type: file.content_type.to_string(),
            content: file.content.clone(),
            content_id: file.content_id.as_ref().map(ToString::to_string),
            is_inline: part::is_inline(file, has_html),
        }
    }

    /// Whether one request can add it, its name and type with it.
    pub(crate) fn fits_whole(&self) -> bool {
        BASE64.encode_len(self.content.len()) + REST_BYTES_MAX <= limits::GRAPH_REQUEST_BYTES_MAX
    }

    /// The request that adds it whole.
    pub(crate) fn whole(&self) -> Bytes {
        json::attachment(self, &BASE64.encode(&self.content)).to_string().into()
    }
}
