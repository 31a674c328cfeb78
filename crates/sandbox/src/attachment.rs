//! Parts of a stored mail that the inbox page hands out: attachments to keep, and pictures inside the HTML.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64;
use mail_parser::{Message, MessagePart, MimeHeaders};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

const IMAGE_TYPES: [&str; 4] = ["png", "jpeg", "gif", "webp"];
/// Beyond this an HTML body is shown without its pictures.
const INLINED_BYTES_MAX: usize = 16 * 1024 * 1024;

pub(crate) fn name(part: &MessagePart<'_>, index: usize) -> String {
    let name = part.attachment_name().map(str::trim).filter(|name| !name.is_empty());
    name.map_or_else(|| format!("attachment-{}", index + 1), str::to_owned)
}

/// A file to keep: never something that the browser runs or shows on this origin.
pub(crate) fn download(name: &str, bytes: Vec<u8>) -> Response {
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    let fixed = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let disposition = HeaderValue::from_str(&disposition(name));
    headers.insert(
        header::CONTENT_DISPOSITION,
        disposition.unwrap_or_else(|_| HeaderValue::from_static("attachment")),
    );
    response
}

/// RFC 6266: a plain name for old readers, the true one encoded. A path is cut to its last part.
fn disposition(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let last: String = last.chars().filter(|c| !c.is_control()).take(200).collect();
    let last = if last.trim_matches('.').is_empty() { "attachment" } else { last.as_str() };
    let plain: String =
        last.chars().map(|c| if c.is_ascii_alphanumeric() || " ._-".contains(c) { c } else { '_' }).collect();
    format!(
        "attachment; filename=\"{plain}\"; filename*=UTF-8''{}",
        utf8_percent_encode(last, NON_ALPHANUMERIC)
    )
}

/// The HTML with its `cid:` pictures put in as `data:`, for the page lets it load nothing else.
pub(crate) fn inline_images(html: &str, message: &Message<'_>) -> String {
    let mut html = html.to_owned();
    for part in message.attachments() {
        let Some(subtype) = image_type(part) else { continue };
        let id = part.content_id().map(|id| id.trim_matches(['<', '>'])).filter(|id| !id.is_empty());
        let Some(reference) = id.map(|id| format!("cid:{id}")).filter(|reference| html.contains(reference))
        else {
            continue;
        };
        let data = format!("data:image/{subtype};base64,{}", BASE64.encode(part.contents()));
        let uses = html.matches(&reference).count();
        if html.len().saturating_add(uses.saturating_mul(data.len())) <= INLINED_BYTES_MAX {
            html = html.replace(&reference, &data);
        }
    }
    html
}

fn image_type(part: &MessagePart<'_>) -> Option<&'static str> {
    IMAGE_TYPES.into_iter().find(|subtype| part.is_content_type("image", subtype))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_cannot_leave_its_header_or_its_folder() {
        assert_eq!(
            disposition("offer.pdf"),
            "attachment; filename=\"offer.pdf\"; filename*=UTF-8''offer%2Epdf"
        );
        let hostile = disposition("../..\\a\"\r\nSet-Cookie: b");
        assert_eq!(
            hostile,
            "attachment; filename=\"a_Set-Cookie_ b\"; filename*=UTF-8''a%22Set%2DCookie%3A%20b"
        );
        assert!(disposition("..").starts_with("attachment; filename=\"attachment\""));
    }
}
