//! A credential as its kind and named texts: the one place where kinds are taken apart and put together.
//!
//! Both stores keep parts and know no kind: the sealed store as bytes that it seals, Vault as the fields of a secret. The
//! names of the fields are stored, and so fixed for all time.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use jiff::Timestamp;
use postrider_domain::{Certificate, Credential, CredentialKind, Fingerprint, SourceName};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use zeroize::Zeroizing;

use crate::KeyedHash;

const CLIENT_SECRET: &str = "client_secret";
/// The app's own first, then its issuers: each DER in base64, with commas between.
const CERTIFICATES: &str = "certificates";
/// PKCS #8 in DER, in base64.
const PRIVATE_KEY: &str = "private_key";
const SEND_CHAIN: &str = "send_chain";
const SOURCE: &str = "source";

pub(crate) struct Parts {
    pub(crate) kind: CredentialKind,
    pub(crate) expire_time: Option<Timestamp>,
    pub(crate) fields: BTreeMap<String, SecretString>,
}

impl Parts {
    pub(crate) fn of(credential: &Credential) -> Self {
        let field = |name: &str, value| (name.to_owned(), value);
        let fields = match credential {
            Credential::ClientSecret { value, .. } => [field(CLIENT_SECRET, value.clone())].into(),
            Credential::Certificate(certificate) => {
                let chain: Vec<String> = certificate.chain.iter().map(|der| BASE64.encode(der)).collect();
                let key = BASE64.encode(certificate.key.expose_secret());
                [
                    field(CERTIFICATES, chain.join(",").into()),
                    field(PRIVATE_KEY, key.into()),
                    field(SEND_CHAIN, certificate.send_chain.to_string().into()),
                ]
                .into()
            }
            // The same for every reseller: whoever names the same source is the same identity.
            Credential::Federated { source } => [field(SOURCE, source.as_str().into())].into(),
        };
        Self { kind: credential.kind(), expire_time: credential.expire_time(), fields }
    }

    /// Nothing, if these are not the parts of such a credential.
    pub(crate) fn into_credential(mut self) -> Option<Credential> {
        let expire_time = self.expire_time;
        let credential = match self.kind {
            CredentialKind::ClientSecret => {
                Credential::ClientSecret { value: self.fields.remove(CLIENT_SECRET)?, expire_time }
            }
            CredentialKind::Certificate => Credential::Certificate(self.take_certificate()?),
            CredentialKind::Federated => {
                let source = self.fields.remove(SOURCE)?;
                Credential::Federated { source: SourceName::parse(source.expose_secret()).ok()? }
            }
        };
        self.fields.is_empty().then_some(credential)
    }

    fn take_certificate(&mut self) -> Option<Certificate> {
        let (chain, key) = (self.fields.remove(CERTIFICATES)?, self.fields.remove(PRIVATE_KEY)?);
        let chain = chain.expose_secret().split(',').map(|der| BASE64.decode(der.as_bytes()).ok());
        let key = Zeroizing::new(BASE64.decode(key.expose_secret().as_bytes()).ok()?);
        Some(Certificate {
            chain: chain.collect::<Option<_>>()?,
            key: SecretSlice::from(key.to_vec()),
            expire_time: self.expire_time?,
            send_chain: self.fields.remove(SEND_CHAIN)?.expose_secret().parse().ok()?,
        })
    }

    /// Tells two credentials apart. The expiry, which only says what somebody knows of it, does not count.
    pub(crate) fn fingerprint(&self, hash: &KeyedHash) -> Fingerprint {
        let values = self.fields.values().map(|value| value.expose_secret().as_bytes());
        let parts: Vec<&[u8]> = std::iter::once(self.kind.as_str().as_bytes()).chain(values).collect();
        Fingerprint::of_store(data_encoding::HEXLOWER.encode(&hash.hash(&parts)[..8]))
    }
}
