//! `--section.key=value` among the arguments: configuration, taken out before clap sees it.

use std::ffi::OsString;

/// The other arguments in their order, and the overrides without their hyphens.
pub(crate) fn extract(arguments: impl Iterator<Item = OsString>) -> (Vec<OsString>, Vec<(String, String)>) {
    let mut rest = Vec::new();
    let mut overrides = Vec::new();
    for argument in arguments {
        match argument.to_str().and_then(parse) {
            Some(pair) => overrides.push(pair),
            None => rest.push(argument),
        }
    }
    (rest, overrides)
}

/// `--[a-z_]+(\.[a-z0-9_-]+)+=…`
fn parse(argument: &str) -> Option<(String, String)> {
    let (key, value) = argument.strip_prefix("--")?.split_once('=')?;
    let (section, rest) = key.split_once('.')?;
    let section_holds = !section.is_empty() && section.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let in_key = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    let rest_holds = rest.split('.').all(|part| !part.is_empty() && part.bytes().all(in_key));
    (section_holds && rest_holds).then(|| (key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_are_taken_out_and_all_else_keeps_its_order() {
        let line = [
            "postrider",
            "serve",
            "--listen.grpc=127.0.0.1:0",
            "--config",
            "a.toml",
            "--federated.k8s.token_file=/t",
        ];
        let (rest, overrides) = extract(line.iter().map(OsString::from));
        assert_eq!(rest, ["postrider", "serve", "--config", "a.toml"]);
        let expected = [("listen.grpc", "127.0.0.1:0"), ("federated.k8s.token_file", "/t")];
        assert_eq!(overrides, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }

    #[test]
    fn a_value_may_be_empty_or_hold_an_equals_sign() {
        assert_eq!(parse("--storage.url="), Some(("storage.url".to_owned(), String::new())));
        assert_eq!(parse("--log.level=a=b"), Some(("log.level".to_owned(), "a=b".to_owned())));
    }

    #[test]
    fn an_ordinary_flag_is_no_override() {
        for argument in [
            "--sandbox",
            "--config=a.toml",
            "--data-dir=./a.b",
            "listen.grpc=1",
            "--listen.=1",
            "--.grpc=1",
            "--Listen.grpc=1",
            "--listen.grpc",
        ] {
            assert_eq!(parse(argument), None, "{argument}");
        }
    }
}
