//! Email addresses: one addr-spec a field, in the form that Exchange takes.

use std::fmt;

use crate::pasted::unpasted;
use crate::{HeaderText, limits};

/// An addr-spec: an ASCII dot-atom local part and a domain of letters, digits and hyphens (RFC 5321, without quoted
/// local parts and address literals, which Exchange Online refuses). The domain is kept in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EmailAddress(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAddress {
    #[error("is required")]
    Empty,
    #[error("must be one address such as ada@example.net")]
    Shape,
    #[error("has blanks or quotes around it, as from pasting: leave them out")]
    Pasted,
    #[error(
        "must be ASCII: Microsoft 365 does not send to internationalised addresses; a domain has an xn-- form"
    )]
    NotAscii,
    #[error("is too long: 64 characters before the @, 254 in all")]
    Long,
}

impl EmailAddress {
    pub fn parse(text: &str) -> Result<Self, NotAnAddress> {
        if text.is_empty() {
            return Err(NotAnAddress::Empty);
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            let bare = unpasted(text);
            let is_pasted = bare != text && Self::parse(bare).is_ok();
            return Err(if is_pasted { NotAnAddress::Pasted } else { NotAnAddress::Shape });
        }
        if !text.is_ascii() {
            return Err(NotAnAddress::NotAscii);
        }
        let (local, domain) = text.split_once('@').ok_or(NotAnAddress::Shape)?;
        if local.len() > limits::LOCAL_PART_CHARS_MAX || text.len() > limits::ADDRESS_CHARS_MAX {
            return Err(NotAnAddress::Long);
        }
        if !is_dot_atom(local) || !is_domain(domain) {
            return Err(NotAnAddress::Shape);
        }
        Ok(Self(format!("{local}@{}", domain.to_ascii_lowercase())))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn domain(&self) -> &str {
        self.0.split_once('@').map_or("", |(_, domain)| domain)
    }

    /// Its mailbox's name, the same however it is spelled: Exchange compares local parts without case.
    #[must_use]
    pub fn folded(&self) -> Self {
        Self(self.0.to_ascii_lowercase())
    }

    /// See [`Self::folded`].
    pub fn is_same_mailbox(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_dot_atom(local: &str) -> bool {
    let atext = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-".contains(&b);
    local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(atext))
}

/// A DNS name of two labels or more.
pub(crate) fn is_domain(domain: &str) -> bool {
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    domain.len() <= limits::DOMAIN_CHARS_MAX && domain.contains('.') && domain.split('.').all(label)
}

/// An address with the name shown beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub address: EmailAddress,
    pub display_name: Option<HeaderText>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_plain_address_is_taken_and_its_domain_lowered() {
        assert_eq!(
            EmailAddress::parse("Ada+x@Example.NET").map(|a| a.to_string()),
            Ok("Ada+x@example.net".into())
        );
    }

    #[test]
    fn lists_injections_and_oddities_are_refused() {
        let long = format!("{}@example.net", "a".repeat(65));
        for bad in [
            "",
            "ada",
            "@example.net",
            "ada@",
            "a@x.example,b@y.example",
            "a@x.example;b@y.example",
            "ada@example",
            "a b@example.net",
            "ada@example.net\r\nBcc: x@y.example",
            "ada@@example.net",
            "<ada@example.net>",
            "ada@-x.example",
            "a..b@example.net",
            ".a@example.net",
            "ada@exam_ple.net",
            "ädа@example.net",
            &long,
        ] {
            assert!(EmailAddress::parse(bad).is_err(), "{bad:?}");
        }
    }
}
