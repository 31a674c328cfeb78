//! Page sizes and page tokens: opaque to callers, and read back with suspicion.

use data_encoding::BASE64URL_NOPAD;
use postrider_domain::{Violations, limits};

/// 0: the default; more than the maximum: the maximum (AIP-158).
pub(crate) fn size(size: i32, violations: &mut Violations) -> u32 {
    match u32::try_from(size) {
        Ok(0) => limits::PAGE_SIZE_DEFAULT,
        Ok(size) => size.min(limits::PAGE_SIZE_MAX),
        Err(_) => {
            violations.push("page_size", "must not be negative");
            limits::PAGE_SIZE_DEFAULT
        }
    }
}

/// The token that goes on after `last`.
pub(crate) fn token(last: &str) -> String {
    BASE64URL_NOPAD.encode(last.as_bytes())
}

/// Where the page begins; `None`: at the start.
pub(crate) fn after<T>(
    token: &str,
    parse: impl Fn(&str) -> Option<T>,
    violations: &mut Violations,
) -> Option<T> {
    if token.is_empty() {
        return None;
    }
    let decoded =
        BASE64URL_NOPAD.decode(token.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let parsed = decoded.and_then(|text| parse(&text));
    violations.check("page_token", parsed.ok_or("is not a next_page_token of this list"))
}
