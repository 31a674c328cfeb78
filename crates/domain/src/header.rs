//! Text that goes into a mail's header: no line break, no control character, ever.
//!
//! Header injection is impossible by type: whatever reaches a header is one of these.

use std::fmt;

/// One line of text without control characters or bidirectional overrides.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeaderText(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotHeaderText {
    #[error("must not contain a line break or another control character")]
    Control,
    #[error("must not contain characters that turn the direction of text around")]
    Bidi,
    #[error("must have at most {0} characters")]
    Long(usize),
}

impl HeaderText {
    pub fn parse(text: &str, chars_max: usize) -> Result<Self, NotHeaderText> {
        if text.chars().any(char::is_control) {
            return Err(NotHeaderText::Control);
        }
        if text.chars().any(is_bidi_control) {
            return Err(NotHeaderText::Bidi);
        }
        if text.chars().count() > chars_max {
            return Err(NotHeaderText::Long(chars_max));
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HeaderText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Embeddings, overrides and isolates (Unicode Bidirectional Algorithm §2), and the line separators.
pub(crate) fn is_bidi_control(char: char) -> bool {
    matches!(char, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// The name of an extra header a caller may set.
///
/// `x-…`, the threading headers, and those of list mail; all others are Postrider's or Exchange's to write.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeaderName(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be x-…, In-Reply-To, References, Thread-Topic, Thread-Index, List-Unsubscribe, List-Unsubscribe-Post \
     or Auto-Submitted, in letters, digits and hyphens"
)]
pub struct NotAHeaderName;

const ALLOWED: [&str; 7] = [
    "in-reply-to",
    "references",
    "thread-topic",
    "thread-index",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "auto-submitted",
];

impl HeaderName {
    pub fn parse(name: &str) -> Result<Self, NotAHeaderName> {
        let lower = name.to_ascii_lowercase();
        let token = name.len() <= 76 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let extension = lower.strip_prefix("x-").is_some_and(|rest| !rest.is_empty());
        if token && (extension || ALLOWED.contains(&lower.as_str())) {
            Ok(Self(name.to_owned()))
        } else {
            Err(NotAHeaderName)
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether Graph takes it as JSON too.
    pub fn is_extension(&self) -> bool {
        self.0.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("x-"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_break_never_becomes_header_text() {
        for bad in ["a\r\nBcc: x@y.example", "a\nb", "a\rb", "a\0b", "a\u{85}b", "a\u{202E}b"] {
            assert!(HeaderText::parse(bad, 100).is_err(), "{bad:?}");
        }
        assert!(HeaderText::parse("Grüße, 世界", 100).is_ok());
    }

    #[test]
    fn only_listed_names_and_extensions_are_headers() {
        for good in ["X-Order", "x-1", "References", "list-unsubscribe"] {
            assert!(HeaderName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "x-", "Bcc", "Subject", "Message-ID", "x-a b", "x-a:", "x-é"] {
            assert_eq!(HeaderName::parse(bad), Err(NotAHeaderName), "{bad}");
        }
    }
}
