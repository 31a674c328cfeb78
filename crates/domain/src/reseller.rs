//! Who sends: a customer of the platform, which Postrider always calls a reseller.

use std::fmt;

use crate::limits;

/// A slug the platform chooses: `[a-z0-9][a-z0-9-]{0,62}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResellerId(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be 1 to {max} lower-case letters, digits or hyphens, and begin with a letter or digit",
    max = limits::RESELLER_ID_CHARS_MAX
)]
pub struct NotAResellerId;

impl ResellerId {
    pub fn parse(text: &str) -> Result<Self, NotAResellerId> {
        let slug = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let fits = text.len() <= limits::RESELLER_ID_CHARS_MAX
            && text.bytes().next().is_some_and(slug)
            && text.bytes().all(|byte| slug(byte) || byte == b'-');
        if fits { Ok(Self(text.to_owned())) } else { Err(NotAResellerId) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ResellerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_taken_and_anything_else_is_not() {
        for good in ["acme", "0", "a-b-", &"a".repeat(63)] {
            assert_eq!(ResellerId::parse(good).map(|id| id.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", "-a", "Acme", "a_b", "a b", "a/b", "é", &"a".repeat(64)] {
            assert_eq!(ResellerId::parse(bad), Err(NotAResellerId), "{bad:?}");
        }
    }
}
