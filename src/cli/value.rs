//! Values of flags that have a form of their own: `name=value`, `Ann <ann@x.example>`.

use std::collections::BTreeMap;

use postrider_proto::v1::Address;

use super::failure::Failure;

/// `name=value`; the value may be empty and may hold further equals signs.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("not of the form name=value".to_owned()),
    }
}

/// Pairs as a map. A name given twice is a mistake.
pub(crate) fn map(flag: &str, pairs: Vec<(String, String)>) -> Result<BTreeMap<String, String>, Failure> {
    let mut map = BTreeMap::new();
    for (name, value) in pairs {
        if map.contains_key(&name) {
            return Err(Failure::usage(format_args!("{flag} {name} is given twice")));
        }
        map.insert(name, value);
    }
    Ok(map)
}

/// `ann@x.example` or `Ann <ann@x.example>`. Whether the address holds is the service's to say.
#[expect(clippy::unnecessary_wraps, reason = "the form of a clap value parser")]
pub(crate) fn address(text: &str) -> Result<Address, String> {
    let text = text.trim();
    let named = text.strip_suffix('>').and_then(|rest| rest.rsplit_once('<'));
    let (display_name, address) = named.unwrap_or(("", text));
    let display_name = display_name.trim();
    let unquoted = display_name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    Ok(Address {
        address: address.trim().to_owned(),
        display_name: unquoted.unwrap_or(display_name).to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_split_at_its_first_equals_sign() {
        assert_eq!(pair("x-query=a=b"), Ok(("x-query".to_owned(), "a=b".to_owned())));
        assert_eq!(pair("team="), Ok(("team".to_owned(), String::new())));
    }

    #[test]
    fn a_pair_needs_a_name() {
        assert!(pair("=value").is_err());
        assert!(pair("name").is_err());
    }

    #[test]
    fn a_name_given_twice_is_a_mistake() {
        let pairs = || vec![("a".to_owned(), "1".to_owned()), ("a".to_owned(), "2".to_owned())];
        assert!(map("--label", pairs()).is_err());
        assert_eq!(map("--label", pairs()[..1].to_vec()).expect("a map").len(), 1);
    }

    #[test]
    fn an_address_may_carry_a_name() {
        let parsed = |text| address(text).map(|address| (address.address, address.display_name));
        let expected = |address: &str, name: &str| Ok((address.to_owned(), name.to_owned()));
        assert_eq!(parsed("ann@x.example"), expected("ann@x.example", ""));
        assert_eq!(parsed("Ann Lee <ann@x.example>"), expected("ann@x.example", "Ann Lee"));
        assert_eq!(parsed("\"Lee, Ann\" <ann@x.example>"), expected("ann@x.example", "Lee, Ann"));
    }
}
