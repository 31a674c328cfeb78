//! The grammar of a media type with its parameters (RFC 2045 §5.1): what is let through is written into a header as it
//! is, so that it must read back as one type and nothing else.

/// `type/subtype; name=value; name="value"`.
pub(crate) fn is_media_type(text: &str) -> bool {
    let (essence, mut rest) = text.split_once(';').unwrap_or((text, ""));
    let shaped = |(kind, subtype)| is_name(kind) && is_name(subtype);
    if !essence.trim_end_matches(' ').split_once('/').is_some_and(shaped) {
        return false;
    }
    while !rest.trim_matches(' ').is_empty() {
        match parameter(rest) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    true
}

/// What follows one parameter and its semicolon.
fn parameter(text: &str) -> Option<&str> {
    let (name, value) = text.trim_start_matches(' ').split_once('=')?;
    if !is_name(name) {
        return None;
    }
    let after =
        if let Some(quoted) = value.strip_prefix('"') { after_quoted(quoted)? } else { after_token(value)? };
    let after = after.trim_start_matches(' ');
    if after.is_empty() { Some("") } else { after.strip_prefix(';') }
}

fn after_token(text: &str) -> Option<&str> {
    let end = text.bytes().position(|byte| !is_token_byte(byte)).unwrap_or(text.len());
    text.get(end..).filter(|_| end > 0)
}

/// What follows the closing quote.
fn after_quoted(text: &str) -> Option<&str> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return text.get(at + 1..),
            b' '..=b'~' => {}
            _ => return None,
        }
    }
    None
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

/// RFC 2045's token: visible, and none of its `tspecials`.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_is_one_type_with_whole_parameters() {
        for good in [
            "application/pdf",
            "text/calendar; method=REQUEST",
            "text/plain;charset=utf-8",
            "text/plain ; charset=\"utf-8\" ; format=flowed;",
            "application/x-thing; a=\"b \\\" c; d\"",
            "application/vnd.api+json",
        ] {
            assert!(is_media_type(good), "{good}");
        }
        for bad in [
            "",
            "pdf",
            "application/",
            "/pdf",
            "a/b/c",
            "text/plain; charset",
            "text/plain; charset=",
            "text/plain; =utf-8",
            "text/plain; a=b c=d",
            "text/plain; a=\"b",
            "text/plain; a=\"b\"c",
            "text/plain; a=\"\n\"",
            "text/plain; a=\u{e4}",
            "text/plain, text/html",
            "text/pl ain",
            " text/plain",
            "text/plain; \u{e4}=b",
        ] {
            assert!(!is_media_type(bad), "{bad}");
        }
    }
}
