//! A credential as the bytes that a store keeps: one form for every store and every kind of credential.
//!
//! JSON that says its format and its kind, so that a later version can read what this one wrote. All that is secret is
//! in `value`. Every buffer that ever holds it is wiped, and none of them grows.

use aws_lc_rs::aead::MAX_TAG_LEN;
use data_encoding::BASE64;
use jiff::Timestamp;
use postrider_domain::{Certificate, Credential, CredentialKind, SourceName};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::Cause;

const FORMAT: u32 = 1;
/// Room for all but the value and the chain, the tag of a store that encrypts included.
const REST_BYTES: usize = 256 + MAX_TAG_LEN;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored<'a> {
    format: u32,
    kind: &'a str,
    /// Base64, which JSON needs not escape: so it is borrowed, and never copied to be unescaped. A secret's Value, a
    /// certificate's key (PKCS #8), the name of a source.
    value: &'a str,
    expire_time: Option<Timestamp>,
    /// A certificate's chain, each DER in base64, and whether it is sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    chain: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    send_chain: bool,
}

pub(crate) fn write(credential: &Credential) -> Result<Zeroizing<Vec<u8>>, Cause> {
    let (value, chain, send_chain) = match credential {
        Credential::ClientSecret { value, .. } => (value.expose_secret().as_bytes(), &[][..], false),
        Credential::Certificate(certificate) => {
            (certificate.key.expose_secret(), certificate.chain.as_slice(), certificate.send_chain)
        }
        Credential::Federated { source } => (source.as_str().as_bytes(), &[][..], false),
    };
    let value = Zeroizing::new(BASE64.encode(value));
    let chain: Vec<String> = chain.iter().map(|der| BASE64.encode(der)).collect();
    let chain_bytes: usize = chain.iter().map(|der| der.len() + 3).sum();
    let stored = Stored {
        format: FORMAT,
        kind: credential.kind().as_str(),
        value: &value,
        expire_time: credential.expire_time(),
        chain,
        send_chain,
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(value.len() + chain_bytes + REST_BYTES));
    serde_json::to_writer(&mut *bytes, &stored)?;
    Ok(bytes)
}

/// Nothing, if it is not what [`write`] writes.
pub(crate) fn read(bytes: &[u8]) -> Option<Credential> {
    let stored: Stored<'_> = serde_json::from_slice(bytes).ok()?;
    if stored.format != FORMAT {
        return None;
    }
    let value = Zeroizing::new(BASE64.decode(stored.value.as_bytes()).ok()?);
    let text = || std::str::from_utf8(&value).ok();
    match CredentialKind::parse(stored.kind)? {
        CredentialKind::ClientSecret => Some(Credential::ClientSecret {
            value: SecretString::from(text()?),
            expire_time: stored.expire_time,
        }),
        CredentialKind::Certificate => {
            let chain: Option<Vec<_>> =
                stored.chain.iter().map(|der| BASE64.decode(der.as_bytes()).ok()).collect();
            Some(Credential::Certificate(Certificate {
                chain: chain.filter(|chain| !chain.is_empty())?,
                key: SecretSlice::from(value.to_vec()),
                expire_time: stored.expire_time?,
                send_chain: stored.send_chain,
            }))
        }
        CredentialKind::Federated => Some(Credential::Federated { source: SourceName::parse(text()?).ok()? }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: Timestamp = Timestamp::constant(1_800_000_000, 0);

    fn every_kind() -> [Credential; 3] {
        let certificate = Certificate {
            chain: vec![vec![1; 900], vec![2; 1_200]],
            key: SecretSlice::from(vec![0xFF; 1_218]),
            expire_time: END,
            send_chain: true,
        };
        [
            Credential::ClientSecret { value: "secret".into(), expire_time: None },
            Credential::Certificate(certificate),
            Credential::Federated { source: SourceName::parse("k8s").unwrap() },
        ]
    }

    #[test]
    fn every_kind_is_written_without_its_buffer_growing() {
        for credential in every_kind() {
            let written = write(&credential).unwrap();
            let room = written.capacity() - written.len();
            assert!((MAX_TAG_LEN..REST_BYTES).contains(&room), "{room} bytes left");
            assert_eq!(read(&written).unwrap().kind(), credential.kind());
        }
    }

    /// Written once and never again: a store of this version must open with every later one.
    #[test]
    fn what_was_written_is_read_by_every_later_version() {
        let secret = br#"{"format":1,"kind":"client_secret","value":"c2VjcmV0","expire_time":null}"#;
        assert!(matches!(read(secret), Some(Credential::ClientSecret { expire_time: None, .. })));
        let certificate = br#"{"format":1,"kind":"certificate","value":"AAEC","expire_time":"2027-01-15T08:00:00Z","chain":["AQI=","AwQ="],"send_chain":true}"#;
        let Some(Credential::Certificate(certificate)) = read(certificate) else { panic!("a certificate") };
        assert_eq!((certificate.chain, certificate.send_chain), (vec![vec![1, 2], vec![3, 4]], true));
        assert_eq!((certificate.key.expose_secret(), certificate.expire_time), (&[0, 1, 2][..], END));
        let federated = br#"{"format":1,"kind":"federated","value":"azhz","expire_time":null}"#;
        assert!(
            matches!(read(federated), Some(Credential::Federated { source }) if source.as_str() == "k8s")
        );
    }

    #[test]
    fn what_is_not_whole_is_nothing() {
        for odd in [
            &b""[..],
            br#"{"format":2,"kind":"client_secret","value":"c2VjcmV0","expire_time":null}"#,
            br#"{"format":1,"kind":"password","value":"c2VjcmV0","expire_time":null}"#,
            br#"{"format":1,"kind":"certificate","value":"AAEC","expire_time":null,"chain":["AQI="]}"#,
            br#"{"format":1,"kind":"certificate","value":"AAEC","expire_time":"2027-01-15T08:00:00Z"}"#,
            br#"{"format":1,"kind":"federated","value":"Li4vdG9rZW4=","expire_time":null}"#,
        ] {
            assert!(read(odd).is_none(), "{}", String::from_utf8_lossy(odd));
        }
    }
}
