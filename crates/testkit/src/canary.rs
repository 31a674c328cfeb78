//! Whether a secret stands somewhere, in any spelling that somebody could read back.

use std::path::{Path, PathBuf};

use data_encoding::{BASE64, BASE64URL, Encoding, HEXLOWER, HEXUPPER};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// Raw, in both forms of base64 at any place of a longer text, in hex and percent-encoded.
pub fn spellings(secret: &str) -> Vec<Vec<u8>> {
    let bytes = secret.as_bytes();
    let mut all = vec![
        bytes.to_vec(),
        HEXLOWER.encode(bytes).into_bytes(),
        HEXUPPER.encode(bytes).into_bytes(),
        utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string().into_bytes(),
    ];
    for encoding in [&BASE64, &BASE64URL] {
        all.extend((0..3).map(|offset| within(encoding, bytes, offset)));
    }
    all
}

/// The characters of base64 that depend on the secret alone, where it begins `offset` bytes after a group's begin.
fn within(encoding: &Encoding, secret: &[u8], offset: usize) -> Vec<u8> {
    let shifted = [&vec![0; offset], secret].concat();
    let (first, last) = ((offset * 8).div_ceil(6), shifted.len() * 8 / 6);
    encoding.encode(&shifted).into_bytes()[first..last].to_vec()
}

/// Whether `bytes` hold the secret in any spelling.
pub fn is_in(secret: &str, bytes: &[u8]) -> bool {
    spellings(secret).iter().any(|spelling| bytes.windows(spelling.len()).any(|window| window == spelling))
}

/// The files below `folder` that hold the secret in any spelling.
pub fn files_with(secret: &str, folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(secret, &path));
        } else if is_in(secret, &std::fs::read(&path).unwrap()) {
            found.push(path);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_every_spelling_and_place() {
        let secret = "s3cr~t/Value+1";
        for padding in ["", "a", "bc", "def"] {
            let text = format!("{padding}{secret}{padding}");
            for spelled in [
                text.clone(),
                BASE64.encode(text.as_bytes()),
                BASE64URL.encode(text.as_bytes()),
                HEXLOWER.encode(text.as_bytes()),
                HEXUPPER.encode(text.as_bytes()),
            ] {
                assert!(is_in(secret, spelled.as_bytes()), "{spelled}");
            }
        }
        assert!(!is_in(secret, b"s3cr~t/Value+2"));
    }
}
