//! A credential's parts as the bytes that are sealed. Every buffer that ever holds them is wiped, and none of them grows.

use std::collections::BTreeMap;

use aws_lc_rs::aead::MAX_TAG_LEN;
use data_encoding::BASE64;
use jiff::Timestamp;
use postrider_domain::CredentialKind;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::Cause;
use crate::parts::Parts;

const FORMAT: u32 = 2;
/// Room for all but the fields, the envelope's tag included, and for all but the value of one.
const REST_BYTES: usize = 256 + MAX_TAG_LEN;
const FIELD_BYTES: usize = 64;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plaintext<'a> {
    format: u32,
    kind: &'a str,
    /// In base64, which JSON needs not escape: so it is borrowed, and never copied to be unescaped.
    #[serde(borrow, default, skip_serializing_if = "BTreeMap::is_empty")]
    fields: BTreeMap<&'a str, &'a str>,
    expire_time: Option<Timestamp>,
    /// The client secret of the first format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
}

pub(super) fn write(parts: &Parts) -> Result<Zeroizing<Vec<u8>>, Cause> {
    let encoded: Vec<(&str, Zeroizing<String>)> = parts
        .fields
        .iter()
        .map(|(name, value)| (name.as_str(), Zeroizing::new(BASE64.encode(value.expose_secret().as_bytes()))))
        .collect();
    let length: usize = encoded.iter().map(|(name, value)| name.len() + value.len() + FIELD_BYTES).sum();
    let plaintext = Plaintext {
        format: FORMAT,
        kind: parts.kind.as_str(),
        fields: encoded.iter().map(|(name, value)| (*name, value.as_str())).collect(),
        expire_time: parts.expire_time,
        value: None,
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(length + REST_BYTES));
    serde_json::to_writer(&mut *bytes, &plaintext)?;
    Ok(bytes)
}

/// Nothing, if it is not what [`write`] writes, or once wrote.
pub(super) fn read(bytes: &[u8]) -> Option<Parts> {
    let Plaintext { format, kind, mut fields, expire_time, value } = serde_json::from_slice(bytes).ok()?;
    match (format, value) {
        (1, Some(value)) if fields.is_empty() => drop(fields.insert("client_secret", value)),
        (FORMAT, None) => {}
        _ => return None,
    }
    let fields = fields.into_iter().map(|(name, value)| Some((name.to_owned(), secret(value)?)));
    Some(Parts { kind: CredentialKind::parse(kind)?, expire_time, fields: fields.collect::<Option<_>>()? })
}

fn secret(base64: &str) -> Option<SecretString> {
    let value = Zeroizing::new(BASE64.decode(base64.as_bytes()).ok()?);
    Some(SecretString::from(std::str::from_utf8(&value).ok()?))
}
