//! A credential as the bytes that are sealed. Every buffer that ever holds them is wiped, and none of them grows.

use aws_lc_rs::aead::MAX_TAG_LEN;
use data_encoding::BASE64;
use jiff::Timestamp;
use postrider_domain::{Credential, CredentialKind};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::Cause;

const FORMAT: u32 = 1;
/// Room for all but the value, the envelope's tag included.
const REST_BYTES: usize = 256 + MAX_TAG_LEN;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plaintext<'a> {
    format: u32,
    kind: &'a str,
    /// Base64, which JSON needs not escape: so it is borrowed, and never copied to be unescaped.
    value: &'a str,
    expire_time: Option<Timestamp>,
}

pub(super) fn write(credential: &Credential) -> Result<Zeroizing<Vec<u8>>, Cause> {
    let Credential::ClientSecret { value, expire_time } = credential;
    let value = Zeroizing::new(BASE64.encode(value.expose_secret().as_bytes()));
    let plaintext = Plaintext {
        format: FORMAT,
        kind: credential.kind().as_str(),
        value: &value,
        expire_time: *expire_time,
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(value.len() + REST_BYTES));
    serde_json::to_writer(&mut *bytes, &plaintext)?;
    Ok(bytes)
}

/// Nothing, if it is not what [`write`] writes.
pub(super) fn read(bytes: &[u8]) -> Option<Credential> {
    let plaintext: Plaintext<'_> = serde_json::from_slice(bytes).ok()?;
    if plaintext.format != FORMAT {
        return None;
    }
    let value = Zeroizing::new(BASE64.decode(plaintext.value.as_bytes()).ok()?);
    match CredentialKind::parse(plaintext.kind)? {
        CredentialKind::ClientSecret => Some(Credential::ClientSecret {
            value: SecretString::from(std::str::from_utf8(&value).ok()?),
            expire_time: plaintext.expire_time,
        }),
        CredentialKind::Certificate | CredentialKind::Federated => None,
    }
}
